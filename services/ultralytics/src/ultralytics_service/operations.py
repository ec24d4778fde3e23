"""Operations on a trained model: the kit's, with the network that Ultralytics loads."""

from trainer_kit import inference
from ultralytics_service.network import load_network

predict = inference.predict(load_network)
export = inference.export(load_network)
evaluate = inference.evaluate(load_network)
