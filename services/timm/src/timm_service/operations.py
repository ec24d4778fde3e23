"""Operations on a trained model: the kit's, with the network that timm loads."""

from timm_service.network import load_network
from trainer_kit import inference

predict, export, evaluate = inference.operations(load_network)
