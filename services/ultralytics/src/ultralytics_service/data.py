"""The job's data set, laid out as the library reads it, below the attempt's folder."""

import shutil
from pathlib import Path

from PIL import Image

from data_kit import Dataset, Split, write_imagefolder, write_yolo
from trainer_kit.trainer import TrainingError
from ultralytics_service.kinds import Kind
from vision_contracts import EndReason

SMALLEST_SIDE = 10
"""The library leaves out images that are smaller, without a word."""


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
