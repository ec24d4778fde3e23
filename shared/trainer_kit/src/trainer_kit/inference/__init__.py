"""Operations on a trained network (predict, export, evaluate), the same for every framework.

A framework provides a `Network`, whose description says how an image becomes its input and what its outputs are. All
other steps are here, in numpy, so that an exported network gives the same predictions as the platform.
"""

from trainer_kit.inference.evaluating import evaluate
from trainer_kit.inference.exporting import export
from trainer_kit.inference.network import Arrays, Compute, Description, Network, Preprocessing
from trainer_kit.inference.operations import operations
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
    "operations",
    "predict",
]
