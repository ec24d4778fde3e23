"""What ultralytics can do with a trained model. The kit does it, with the network that `network` loads."""

from trainer_kit import inference
from ultralytics_service.network import load_network

predict = inference.predict(load_network)
export = inference.export(load_network)
evaluate = inference.evaluate(load_network)
