"""Data at the edge trains: the rest of what may be wrong is in test_train.py."""

import math
from pathlib import Path

import pytest
from PIL import Image
from trainings import StartTraining

from vision_contracts import metric_names


@pytest.mark.parametrize(
    ("counts", "side"),
    [({"many": 4, "single": 1}, 32), ({"a": 2, "b": 2}, 3)],
    ids=["a-class-with-one-image", "images-of-three-pixels"],
)
def test_small_classes_and_small_images_train(
    training: StartTraining, tmp_path: Path, counts: dict[str, int], side: int
) -> None:
    for name, count in counts.items():
        for split, number in (("train", count), ("val", 1)):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for index in range(number):
                image = Image.new("RGB", (side, side), (40 * index, 0, 0))
                image.save(tmp_path / "data" / split / name / f"{index}.png")
    settings = {"balance_classes": True, "balanced_sampling": True, "mixup": 0.2}
    done = training(dataset=tmp_path / "data", params={"epochs": 1}, **settings).train()
    assert all(loss is not None and math.isfinite(loss) for loss in done.series(metric_names.TRAIN_LOSS).values())
