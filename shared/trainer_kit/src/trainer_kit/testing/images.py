"""Small data sets whose classes a model can distinguish after a few steps."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLORS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (200, 50, 40)}
NOISE = 25


def make_imagefolder(folder: Path, *, per_class: int = 12, size: int = 32, seed: int = 0) -> Path:
    """Write noisy images of one colour each, in `train` and `val`, and return the folder."""
    random = np.random.default_rng(seed)
    for split, count in {"train": per_class, "val": max(2, per_class // 3)}.items():
        for name, color in COLORS.items():
            target = folder / split / name
            target.mkdir(parents=True)
            for index in range(count):
                Image.fromarray(_noisy(random, size, color)).save(target / f"{index}.png")
    return folder


def make_yolo(folder: Path, *, count: int = 12, size: int = 64, seed: int = 0) -> Path:
    """Write grey images with one coloured rectangle each, in YOLO's layout with boxes, and return the folder."""
    random = np.random.default_rng(seed)
    for split, number in {"train": count, "val": max(2, count // 3)}.items():
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for index in range(number):
            class_id = index % len(COLORS)
            picture = _noisy(random, size, (128, 128, 128))
            width, height = (int(side) for side in random.integers(size // 4, size // 2, 2))
            left, top = int(random.integers(0, size - width)), int(random.integers(0, size - height))
            picture[top : top + height, left : left + width] = list(COLORS.values())[class_id]
            Image.fromarray(picture).save(images / f"{index}.png")
            box = ((left + width / 2) / size, (top + height / 2) / size, width / size, height / size)
            (labels / f"{index}.txt").write_text(f"{class_id} " + " ".join(f"{side:.6f}" for side in box) + "\n")
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(COLORS))
    (folder / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames:\n{names}")
    return folder


def _noisy(random: np.random.Generator, size: int, color: tuple[int, int, int]) -> NDArray[np.uint8]:
    noise = random.integers(-NOISE, NOISE + 1, (size, size, 3))
    return np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
