"""Operations on a trained model: the kit's, with the network that Ultralytics loads."""

from trainer_kit import inference
from ultralytics_service.network import load_network

predict, export, evaluate = inference.operations(load_network)
