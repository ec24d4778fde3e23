"""The side of the square images that a network sees."""

import math
from statistics import median

from data_kit import Dataset, Split
from timm_service.capabilities import LARGEST_IMAGE, Capabilities
from timm_service.config import Hyperparameters
from vision_contracts import ModelCard

SMALLEST_AUTO_SIZE = 64
"""Below it the deepest features of most networks are a single point."""


def choose_image_size(card: ModelCard, settings: Hyperparameters, dataset: Dataset) -> int:
    """Return the side that the job asks for, or for `auto` one that fits images and architecture."""
    sizes = Capabilities.from_ref(card.hyperparameters_ref).sizes
    requested = getattr(settings, "image_size", card.input_size)
    if requested != "auto":
        return int(requested)
    assert sizes is not None  # noqa: S101 - else the settings have no image_size
    wanted = max(natural_size(dataset), SMALLEST_AUTO_SIZE, sizes.smallest)
    return min(math.ceil(wanted / sizes.step) * sizes.step, card.input_size, LARGEST_IMAGE)


def natural_size(dataset: Dataset) -> int:
    """Return the median of the training images' shorter sides, in pixels."""
    return int(median(min(sample.width, sample.height) for sample in dataset[Split.TRAIN]))
