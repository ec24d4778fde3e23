"""The job's data set, laid out as the library reads it, below the attempt's folder."""

import shutil
from pathlib import Path

from data_kit import Dataset, Split, write_imagefolder, write_yolo
from trainer_kit.trainer import TrainingError
from ultralytics_service.config import ImageSize
from ultralytics_service.kinds import Kind
from vision_contracts import EndReason

SMALLEST_SIDE = 10
"""The library leaves out images that are smaller, without a word."""

_LARGEST = {Kind.CLASSIFY: 224}
_SMALLEST = {Kind.CLASSIFY: 64}
"""Other kinds are made for 640 px, and need 128 px for their coarsest grid to be worth its name."""


def lay_out(dataset: Dataset, kind: Kind, folder: Path) -> Path:
    """Links the images and writes the labels below `folder`; returns what the library calls `data`.

    Raises TrainingError with `bad_data` for what would otherwise fail late, or train on nothing.
    """
    _check(dataset, kind)
    shutil.rmtree(folder, ignore_errors=True)
    if kind is Kind.CLASSIFY:
        return write_imagefolder(dataset, folder)
    return write_yolo(dataset, folder, kind.task_type)


def choose_image_size(requested: ImageSize, dataset: Dataset, kind: Kind, stride: int) -> int:
    """Pixels; a multiple of the network's `stride`, which no longer fits where it is more than half of an image."""
    if requested != "auto":
        return _round_up(requested, stride)
    longest = max(max(sample.width, sample.height) for samples in dataset.splits.values() for sample in samples)
    smallest = max(_SMALLEST.get(kind, 128), 2 * stride)
    return _round_up(min(max(longest, smallest), _LARGEST.get(kind, 640)), stride)


def _round_up(size: int, stride: int) -> int:
    return -(-size // stride) * stride


def _check(dataset: Dataset, kind: Kind) -> None:
    for split in (Split.TRAIN, Split.VAL):
        samples = dataset[split]
        usable = [sample for sample in samples if min(sample.width, sample.height) >= SMALLEST_SIDE]
        if not usable:
            raise TrainingError(
                EndReason.BAD_DATA,
                f"No image of `{split}` is at least {SMALLEST_SIDE} px wide and high. Add larger images.",
            )
        if kind is not Kind.CLASSIFY and split is Split.TRAIN and not _has_objects(usable):
            raise TrainingError(
                EndReason.BAD_DATA, "No image of `train` has a labelled object. Label objects in the images."
            )


def _has_objects(samples: list) -> bool:
    return any(not instance.is_crowd for sample in samples for instance in sample.instances)
