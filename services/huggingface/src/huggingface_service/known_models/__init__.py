"""Well-known models of the hub, each with its architecture's configuration written out.

Written by hand: so their parameters can be counted, and they can be trained from scratch, without the hub.
"""

from huggingface_service.known_models.base import HubCheckpoint
from huggingface_service.known_models.convolutional import CONVOLUTIONAL
from huggingface_service.known_models.detectors import DETECTORS
from huggingface_service.known_models.mask_classifiers import MASK_CLASSIFIERS
from huggingface_service.known_models.segmenters import SEGMENTERS
from huggingface_service.known_models.transformers import TRANSFORMERS

CHECKPOINTS: tuple[HubCheckpoint, ...] = (*CONVOLUTIONAL, *TRANSFORMERS, *DETECTORS, *SEGMENTERS, *MASK_CLASSIFIERS)

__all__ = ["CHECKPOINTS", "HubCheckpoint"]
