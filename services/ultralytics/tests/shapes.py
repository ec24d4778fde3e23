"""Small data sets of painted bars, in the YOLO layout of each task: enough to learn from, quick to read."""

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from PIL import Image, ImageDraw

Corners = Sequence[tuple[float, float]]
SIDE = 96
COLOURS = ((220, 60, 40), (50, 90, 220), (240, 220, 60))


def write_bars(folder: Path, task: str, *, train: int = 8, val: int = 4, classes: int = 2, width: int = SIDE) -> Path:
    """`task` as the library calls it: detect, segment, semantic, pose or obb."""
    painter = random.Random(7)
    config: dict = {"train": "images/train", "val": "images/val", "names": {i: f"bar{i}" for i in range(classes)}}
    if task == "pose":
        config |= {"kpt_shape": [2, 3], "flip_idx": [1, 0], "skeleton": [[0, 1]]}
    for split, count in (("train", train), ("val", val)):
        images, labels = folder / "images" / split, folder / "labels" / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for index in range(count):
            bars = [_bar(painter) for _ in range(2)]
            image = Image.new("RGB", (width, SIDE), (90, 90, 90))
            rows = []
            for number, corners in enumerate(bars):
                ImageDraw.Draw(image).polygon(list(corners), fill=COLOURS[number % classes])
                rows.append(
                    " ".join([str(number % classes), *_ROWS[task]([(x * SIDE / width, y) for x, y in corners])])
                )
            image.save(images / f"{index}.png")
            (labels / f"{index}.txt").write_text("\n".join(rows))
    (folder / "data.yaml").write_text(yaml.safe_dump(config))
    return folder


def write_blank(folder: Path, *, side: int, classes: int, train: int = 8, val: int = 4) -> Path:
    """An ImageFolder of plain colours, `side` pixels wide and high."""
    for split, count in (("train", train), ("val", val)):
        for number in range(classes):
            target = folder / split / f"colour{number}"
            target.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (side, side), COLOURS[number]).save(target / f"{index}.png")
    return folder


def _bar(painter: random.Random) -> Corners:
    x, y, angle = painter.uniform(30, 66), painter.uniform(30, 66), painter.uniform(0, math.pi)
    along, across = (18 * math.cos(angle), 18 * math.sin(angle)), (-7 * math.sin(angle), 7 * math.cos(angle))
    signs = ((1, 1), (1, -1), (-1, -1), (-1, 1))
    return [(x + a * along[0] + b * across[0], y + a * along[1] + b * across[1]) for a, b in signs]


def _box(corners: Corners) -> list[str]:
    xs, ys = [x / SIDE for x, _ in corners], [y / SIDE for _, y in corners]
    return [
        f"{value:.5f}"
        for value in ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2, max(xs) - min(xs), max(ys) - min(ys))
    ]


def _outline(corners: Corners) -> list[str]:
    return [f"{value / SIDE:.5f}" for corner in corners for value in corner]


def _ends(corners: Corners) -> list[str]:
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
    ends = (((ax + bx) / 2, (ay + by) / 2), ((cx + dx) / 2, (cy + dy) / 2))
    return [*_box(corners), *(f"{value:.5f}" for x, y in ends for value in (x / SIDE, y / SIDE, 2))]


_ROWS: dict[str, Callable[[Corners], list[str]]] = {
    "detect": _box,
    "segment": _outline,
    "semantic": _outline,
    "obb": _outline,
    "pose": _ends,
}
