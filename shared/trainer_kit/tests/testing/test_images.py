from collections.abc import Callable
from pathlib import Path

import pytest

from data_kit import open_dataset
from trainer_kit.testing.images import make_imagefolder, make_yolo
from vision_contracts import DatasetFormat, TaskType


@pytest.mark.parametrize(
    ("make", "format_", "task"),
    [
        (make_imagefolder, DatasetFormat.IMAGEFOLDER, TaskType.IMAGE_CLASSIFICATION),
        (make_yolo, DatasetFormat.YOLO, TaskType.OBJECT_DETECTION),
    ],
)
def test_the_small_data_sets_have_their_format_and_classes(
    make: Callable[[Path], Path], format_: DatasetFormat, task: TaskType, tmp_path: Path
) -> None:
    dataset = open_dataset(make(tmp_path / "data"))
    assert (dataset.format, dataset.num_classes) == (format_, 3)
    assert task in dataset.task_types
