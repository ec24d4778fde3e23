"""The side of the square that images are scaled to."""

from data_kit import Dataset
from ultralytics_service.config import ImageSize
from ultralytics_service.kinds import Kind

_LARGEST = {Kind.CLASSIFY: 224}
_SMALLEST = {Kind.CLASSIFY: 64}
"""Other kinds are made for 640 px, and their coarsest grid needs 128 px to tell places apart."""


def choose_image_size(requested: ImageSize, dataset: Dataset, kind: Kind, stride: int) -> int:
    """Pixels: a multiple of the network's coarsest `stride`."""
    if requested != "auto":
        return _round_up(requested, stride)
    longest = max(max(sample.width, sample.height) for samples in dataset.splits.values() for sample in samples)
    smallest = max(_SMALLEST.get(kind, 128), 2 * stride)
    return _round_up(min(max(longest, smallest), _LARGEST.get(kind, 640)), stride)


def _round_up(size: int, stride: int) -> int:
    return -(-size // stride) * stride
