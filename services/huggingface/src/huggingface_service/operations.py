"""What huggingface can do with a trained model. The kit does it, with the network that `network` loads."""

from huggingface_service.network import load_network
from trainer_kit import inference

predict = inference.predict(load_network)
export = inference.export(load_network)
evaluate = inference.evaluate(load_network)
