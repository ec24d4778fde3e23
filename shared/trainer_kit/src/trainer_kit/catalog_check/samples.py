"""Data sets of two training and two validation images: enough for a step in every task."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from vision_contracts import TaskType

SIDE = 64
PER_SPLIT = 2
CLASSES = ("bright", "dark")

Corners = tuple[tuple[float, float], ...]
SQUARES: tuple[Corners, ...] = (
    ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5)),
    ((0.5, 0.4), (0.9, 0.4), (0.9, 0.9), (0.5, 0.9)),
)
"""Objects of every image, one of each class, as shares of its width and height."""


def write_samples(root: Path, task_type: TaskType) -> Path:
    """Write a data set for `task_type` below `root`, unless it exists, and return its folder."""
    folder = root / task_type
    if folder.is_dir():
        return folder
    partial = root / f".{task_type}"
    (_write_classes if task_type is TaskType.IMAGE_CLASSIFICATION else _write_objects)(partial, task_type)
    return partial.rename(folder)


def _write_classes(folder: Path, _: TaskType) -> None:
    for split in ("train", "val"):
        for index, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            _paint(index).save(folder / split / name / "0.png")


def _write_objects(folder: Path, task_type: TaskType) -> None:
    for split in ("train", "val"):
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True, exist_ok=True)
        labels.mkdir(parents=True, exist_ok=True)
        rows = [f"{index} {_ROWS.get(task_type, _outline)(square)}" for index, square in enumerate(SQUARES)]
        for index in range(PER_SPLIT):
            _paint(index).save(images / f"{index}.png")
            (labels / f"{index}.txt").write_text("\n".join(rows))
    keypoints = "kpt_shape: [2, 3]\nflip_idx: [1, 0]\n" if task_type is TaskType.POSE_ESTIMATION else ""
    (folder / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames: {list(CLASSES)}\n{keypoints}")


def _paint(seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 40, (SIDE, SIDE, 3), dtype=np.uint8)
    for corners, value in zip(SQUARES, (230, 110), strict=True):
        (left, top), (right, bottom) = ((int(share * SIDE) for share in corners[index]) for index in (0, 2))
        pixels[top:bottom, left:right] = value
    return Image.fromarray(pixels)


def _outline(square: Corners) -> str:
    return " ".join(f"{value:.4f}" for corner in square for value in corner)


def _box_and_keypoints(square: Corners) -> str:
    (left, top), (right, bottom) = square[0], square[2]
    box = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    keypoints = (left, top, 2, right, bottom, 2)
    return " ".join(f"{value:.4f}" for value in (*box, *keypoints)).replace("2.0000", "2")


_ROWS: dict[TaskType, Callable[[Corners], str]] = {TaskType.POSE_ESTIMATION: _box_and_keypoints}
