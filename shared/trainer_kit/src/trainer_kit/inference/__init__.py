"""What a trained network is used for, the same for every framework.

A framework gives a `Network`: how an image becomes its input, and what its outputs are. Everything from there on is
here, in numpy, so that an exported network gives the answers of the platform.
"""

from trainer_kit.inference.evaluating import evaluate
from trainer_kit.inference.exporting import export
from trainer_kit.inference.network import Arrays, Compute, Description, Network, Preprocessing
from trainer_kit.inference.predicting import predict
from trainer_kit.inference.torch_network import TorchNetwork

__all__ = [
    "Arrays",
    "Compute",
    "Description",
    "Network",
    "Preprocessing",
    "TorchNetwork",
    "evaluate",
    "export",
    "predict",
]
