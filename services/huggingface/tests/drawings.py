"""Small data sets that a model can learn in seconds: bright squares and discs on a dark ground."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE = 48
COLORS = {"red": (230, 40, 40), "green": (40, 230, 40), "blue": (40, 40, 230)}


def draw_colors(root: Path, *, train: int = 6, val: int = 2, names: tuple[str, ...] = ("red", "green", "blue")) -> Path:
    """ImageFolder: each class is a square of its own colour."""
    random = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        for name in names:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                image, _ = _draw_square(random, COLORS[name])
                image.save(folder / f"{number}.png")
    return root


def draw_squares(root: Path, *, train: int = 8, val: int = 4) -> Path:
    """COCO with boxes and outlines: one square of one of two classes in each image."""
    random = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        folder = root / "images" / split
        folder.mkdir(parents=True)
        images, annotations = [], []
        for number in range(count):
            label = number % 2
            image, (x1, y1, x2, y2) = _draw_square(random, list(COLORS.values())[label])
            image.save(folder / f"{split}{number}.png")
            images.append({"id": number, "file_name": f"{split}{number}.png", "width": SIDE, "height": SIDE})
            annotations.append({
                "id": number, "image_id": number, "category_id": label, "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1), "iscrowd": 0, "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
            })  # fmt: skip
        categories = [{"id": 0, "name": "red"}, {"id": 1, "name": "green"}]
        labels = {"images": images, "annotations": annotations, "categories": categories}
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(labels))
    return root


def _draw_square(
    random: np.random.Generator, color: tuple[int, int, int]
) -> tuple[Image.Image, tuple[int, int, int, int]]:
    image = Image.fromarray(random.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8))
    side = int(random.integers(16, 28))
    x, y = (int(value) for value in random.integers(0, SIDE - side, 2))
    box = (x, y, x + side, y + side)
    ImageDraw.Draw(image).rectangle((x, y, x + side - 1, y + side - 1), fill=color)
    return image, box
