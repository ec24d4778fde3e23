"""Data and settings at the edge: they train, or they are refused early with what to do."""

from pathlib import Path

import pytest
from conftest import StartTraining
from PIL import Image

from trainer_kit.trainer import TrainingError
from vision_contracts import EndReason, TaskType


def write_classes(root: Path, counts: dict[str, int], *, side: int = 32, mode: str = "RGB") -> Path:
    """An ImageFolder with this many images of each class to train on, and one to validate."""
    for name, count in counts.items():
        for split, number in (("train", count), ("val", 1)):
            (root / split / name).mkdir(parents=True)
            for index in range(number):
                Image.new(mode, (side, side), 40 * index).save(root / split / name / f"{index}.png")
    return root


def write_boxes(root: Path, rows: list[str]) -> Path:
    """YOLO: a training image for each row, which may be empty, and a validation image with an object."""
    for split, labels in (("train", rows), ("val", ["0 0.5 0.5 0.4 0.4"])):
        (root / "images" / split).mkdir(parents=True)
        (root / "labels" / split).mkdir(parents=True)
        for index, row in enumerate(labels):
            Image.new("RGB", (48, 48), (index, 90, 90)).save(root / "images" / split / f"{index}.png")
            (root / "labels" / split / f"{index}.txt").write_text(row)
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [thing]\n")
    return root


@pytest.mark.parametrize(
    ("counts", "side", "mode"),
    [
        pytest.param({"many": 4, "single": 1}, 32, "L", id="a-class-with-one-image-in-grey"),
        pytest.param({"a": 2, "b": 2}, 3, "I;16", id="images-of-three-pixels-in-16-bits"),
    ],
)
def test_small_and_unusual_classes_train(
    attempt: StartTraining, tmp_path: Path, counts: dict[str, int], side: int, mode: str
) -> None:
    data = write_classes(tmp_path / "data", counts, side=side, mode=mode)
    done = attempt(data=data, params={"batch_size": 64}).run()
    assert done.final is not None
    assert all(loss is not None for loss in done.points("train/loss").values())


def test_a_batch_of_one_that_normalisation_cannot_take_is_refused(attempt: StartTraining) -> None:
    with pytest.raises(TrainingError, match=r"batch_size: .*2 or more") as caught:
        attempt(model_name="microsoft/resnet-18", params={"batch_size": 1}).run()
    assert caught.value.reason is EndReason.BAD_HYPERPARAMETERS


def test_images_without_boxes_are_learnt_from_too(attempt: StartTraining, tmp_path: Path) -> None:
    data = write_boxes(tmp_path / "data", ["", "0 0.5 0.5 0.2 0.2", "", ""])
    done = attempt(
        data=data, task_type=TaskType.OBJECT_DETECTION, model_name="hustvl/yolos-tiny", params={"batch_size": 2}
    ).run()
    assert done.final is not None
