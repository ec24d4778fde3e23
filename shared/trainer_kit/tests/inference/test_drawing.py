"""Predictions of every task are drawn in the colours that previews of the data set have."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_kit.drawing import color_of
from trainer_kit.inference.drawing import draw
from trainer_kit.inference.network import Description, Preprocessing
from trainer_kit.inference.portable import encode_rle
from vision_contracts import ImagePrediction, TaskType

NAMES = ["고양이", "coin"]


def described(task_type: TaskType, **more: Any) -> Description:
    return Description(
        framework="fake", model_name="fake", task_type=task_type, class_names=NAMES,
        preprocessing=Preprocessing(size=(32, 32), resize="squash"), **more,
    )  # fmt: skip


def drawn(task_type: TaskType, decoded: dict[str, Any], **more: Any) -> set[Any]:
    """Return the colours of the picture."""
    image = Image.new("RGB", (160, 80), "gray")
    prediction = ImagePrediction(name="a.png", width=160, height=80, **decoded)
    picture = draw(image, prediction, described(task_type, **more))
    assert min(picture.size) >= 320
    return {color for _, color in picture.getcolors(2**22) or []}


def mask() -> dict[str, Any]:
    pixels = np.zeros((80, 160), dtype=np.bool_)
    pixels[20:60, 20:120] = True
    return encode_rle(pixels)


@pytest.mark.parametrize(
    ("task_type", "part"),
    [
        (TaskType.OBJECT_DETECTION, {}),
        (TaskType.INSTANCE_SEGMENTATION, {"mask": mask()}),
        (TaskType.ORIENTED_OBJECT_DETECTION, {"corners": [70, 20, 120, 40, 70, 60, 20, 40]}),
        (TaskType.POSE_ESTIMATION, {"keypoints": [{"x": x, "y": 40, "score": x / 100} for x in (30, 60, 90)]}),
    ],
)
def test_an_object_has_the_color_of_its_class(task_type: TaskType, part: dict[str, Any]) -> None:
    found = {"class_id": 1, "label": "coin", "score": 0.9, "box": [20, 20, 120, 60], **part}

    colors = drawn(task_type, {"objects": [found]}, skeleton=[(0, 1), (1, 2)])

    assert color_of(1) in colors
    assert color_of(0) not in colors


def test_a_region_has_the_color_that_its_class_has_without_a_background() -> None:
    region = {"class_id": 2, "label": "coin", "share": 0.3, "mask": mask()}

    assert color_of(1) in drawn(TaskType.SEMANTIC_SEGMENTATION, {"regions": [region]}, background=0)
    assert color_of(2) in drawn(TaskType.SEMANTIC_SEGMENTATION, {"regions": [region]}, background=3)


def test_labels_of_an_image_are_listed_below_it() -> None:
    labels = [{"class_id": index, "label": name, "score": 0.5} for index, name in enumerate(NAMES)]

    assert (255, 255, 255) in drawn(TaskType.IMAGE_CLASSIFICATION, {"labels": labels})
