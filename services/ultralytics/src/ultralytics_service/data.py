"""The job's data set, laid out as the library reads it, below the attempt's folder."""

import shutil
from pathlib import Path

from PIL import Image

from data_kit import Dataset, Split, write_imagefolder, write_yolo
from trainer_kit.trainer import TrainingError
from ultralytics_service.config import ImageSize
from ultralytics_service.kinds import Kind
from vision_contracts import EndReason

SMALLEST_SIDE = 10
"""The library leaves out images that are smaller, without a word."""

_LARGEST = {Kind.CLASSIFY: 224}
_SMALLEST = {Kind.CLASSIFY: 64}
"""Other kinds are made for 640 px, and their coarsest grid needs 128 px to tell places apart."""


def lay_out(dataset: Dataset, kind: Kind, folder: Path) -> Path:
    """Links the images and writes the labels below `folder`; returns what the library calls `data`.

    Raises TrainingError with `bad_data` where there is nothing to learn.
    """
    if kind is not Kind.CLASSIFY and not _has_objects(dataset):
        raise TrainingError(
            EndReason.BAD_DATA, "No image of `train` has a labelled object. Label objects in the images."
        )
    shutil.rmtree(folder, ignore_errors=True)
    data = write_imagefolder(dataset, folder) if kind is Kind.CLASSIFY else write_yolo(dataset, folder, kind.task_type)
    if any(min(sample.width, sample.height) < SMALLEST_SIDE for split in dataset.splits.values() for sample in split):
        _enlarge_tiny_images(folder)
    return data


def choose_image_size(requested: ImageSize, dataset: Dataset, kind: Kind, stride: int) -> int:
    """Pixels: a multiple of the network's coarsest `stride`."""
    if requested != "auto":
        return _round_up(requested, stride)
    longest = max(max(sample.width, sample.height) for samples in dataset.splits.values() for sample in samples)
    smallest = max(_SMALLEST.get(kind, 128), 2 * stride)
    return _round_up(min(max(longest, smallest), _LARGEST.get(kind, 640)), stride)


def _round_up(size: int, stride: int) -> int:
    return -(-size // stride) * stride


def _has_objects(dataset: Dataset) -> bool:
    return any(not instance.is_crowd for sample in dataset[Split.TRAIN] for instance in sample.instances)


def _enlarge_tiny_images(folder: Path) -> None:
    """Labels are shares of the image and stay true. Never writes through a link to the user's file."""
    for path in [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".txt", ".yaml")]:
        with Image.open(path) as image:
            factor = -(-SMALLEST_SIDE // min(image.size))
            if factor == 1:
                continue
            larger = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
        path.unlink()
        larger.save(path.with_suffix(".png"))
