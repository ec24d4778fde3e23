"""Makes the bundled samples from images that Python packages ship. The results are checked in beside this file.

    uv run --no-project --with scikit-learn==1.9.1 --with scikit-image==0.26.0 --with pillow python make_samples.py

`digits`: ImageFolder, 10 classes, 32 px, 40 images for training and 10 for validation of each class.
`coins`: 128 px crops of one photograph with an outline of every coin, as YOLO and as COCO. Training crops come from
the left part of the photograph and validation crops from the right part, so that no coin is seen in both.
"""

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage import data, filters, measure, morphology, segmentation
from sklearn.datasets import load_digits

HERE = Path(__file__).parent

DIGITS = {"train": slice(0, 40), "val": slice(40, 50)}
DIGIT_SIZE = 32

CROP_SIZE = 128
COIN_CROPS = {"train": 48, "val": 12}
COIN_COLUMNS = {"train": (0, 220), "val": (243, 384)}
MIN_VISIBLE = 0.2
"""A coin of which less than this share is in the crop makes the crop ambiguous: another one is taken."""

Pixels = NDArray[np.uint8]
CoinLabels = NDArray[np.int32]


def make_digits(folder: Path) -> None:
    """The first fifty images of each class, enlarged from 8 x 8."""
    digits = load_digits()
    for digit in range(10):
        images = digits.images[digits.target == digit]
        for split, chosen in DIGITS.items():
            target = folder / split / str(digit)
            target.mkdir(parents=True)
            for index, pixels in enumerate(images[chosen]):
                image = Image.fromarray((pixels * 255 / 16).astype(np.uint8))
                image.resize((DIGIT_SIZE, DIGIT_SIZE), Image.Resampling.BICUBIC).save(target / f"{index:02}.png")


@dataclass(frozen=True)
class Crop:
    """A part of the photograph, turned and flipped, with the outlines of its coins."""

    pixels: Pixels
    outlines: list[NDArray[np.float64]]
    """For each coin its corners as rows of x and y."""


def outline_coins(photograph: Pixels) -> CoinLabels:
    """0 for the background, and a number for each coin: watershed on the edges, then the convex hull."""
    markers = np.zeros_like(photograph, dtype=np.int32)
    markers[photograph < 30] = 1
    markers[photograph > 150] = 2
    regions = ndimage.binary_fill_holes(segmentation.watershed(filters.sobel(photograph), markers) == 2)
    regions = morphology.opening(regions, morphology.disk(3))
    labels = np.zeros_like(markers)
    for number, region in enumerate(measure.regionprops(measure.label(regions)), start=1):
        if region.area > 500:
            top, left, bottom, right = region.bbox
            labels[top:bottom, left:right][region.image_convex] = number
    return labels


def make_crops(photograph: Pixels, labels: CoinLabels, split: str, source: random.Random) -> list[Crop]:
    """Crops at random places of the split's columns."""
    first, end = COIN_COLUMNS[split]
    crops: list[Crop] = []
    while len(crops) < COIN_CROPS[split]:
        left = source.randint(first, end - CROP_SIZE)
        top = source.randint(0, photograph.shape[0] - CROP_SIZE)
        area = np.s_[top : top + CROP_SIZE, left : left + CROP_SIZE]
        numbers = [number for number in np.unique(labels[area]) if number]
        visible = [(labels[area] == number).sum() / (labels == number).sum() for number in numbers]
        if not numbers or min(visible) < MIN_VISIBLE:
            continue
        quarters, is_flipped, brightness = source.randrange(4), source.random() < 0.5, source.uniform(0.8, 1.2)
        pixels = np.rot90(photograph[area], quarters)[:, :: -1 if is_flipped else 1]
        turned = np.rot90(labels[area], quarters)[:, :: -1 if is_flipped else 1]
        brightened = (pixels * brightness).clip(0, 255).astype(np.uint8)
        crops.append(Crop(brightened, [_outline(turned == number) for number in numbers]))
    return crops


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Corners in pixels, counted from the top left corner of the top left pixel."""
    contour = max(measure.find_contours(np.pad(mask, 1).astype(float), 0.5), key=len)
    rows_and_columns = measure.approximate_polygon(contour, tolerance=0.6)[:-1]
    # find_contours counts from the centre of the padded image's first pixel.
    return (rows_and_columns[:, ::-1] - 0.5).clip(0, CROP_SIZE)


def write_coins(folder: Path, crops: dict[str, list[Crop]]) -> None:
    """Images once, labels as YOLO (`data.yaml`, `labels/`) and as COCO (`annotations/`)."""
    for split, chosen in crops.items():
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        names = [f"coins-{split}-{index:02}" for index in range(len(chosen))]
        for name, crop in zip(names, chosen, strict=True):
            Image.fromarray(crop.pixels).save(folder / "images" / split / f"{name}.png")
            (folder / "labels" / split / f"{name}.txt").write_text("".join(map(_yolo_line, crop.outlines)))
        (folder / "annotations").mkdir(exist_ok=True)
        content = json.dumps(_coco(names, chosen), separators=(",", ":"))
        (folder / "annotations" / f"instances_{split}.json").write_text(content + "\n")
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames:\n  0: coin\n")


def _yolo_line(outline: NDArray[np.float64]) -> str:
    return " ".join(["0", *(f"{value:g}" for value in (outline / CROP_SIZE).round(6).ravel())]) + "\n"


def _coco(names: list[str], crops: list[Crop]) -> dict[str, Any]:
    images = [
        {"id": index, "file_name": f"{name}.png", "width": CROP_SIZE, "height": CROP_SIZE}
        for index, name in enumerate(names, start=1)
    ]
    outlines = [(image_id, outline) for image_id, crop in enumerate(crops, start=1) for outline in crop.outlines]
    annotations = [
        {"id": index, "image_id": image_id, "category_id": 1, "iscrowd": 0, **_geometry(outline)}
        for index, (image_id, outline) in enumerate(outlines, start=1)
    ]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "coin"}]}


def _geometry(outline: NDArray[np.float64]) -> dict[str, Any]:
    (x1, y1), (x2, y2) = outline.min(axis=0), outline.max(axis=0)
    x, y = outline.T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    return {"bbox": [x1, y1, x2 - x1, y2 - y1], "segmentation": [outline.ravel().tolist()], "area": area}


def main() -> None:
    for name in ("digits", "coins"):
        for part in ("train", "val", "images", "labels", "annotations"):
            shutil.rmtree(HERE / name / part, ignore_errors=True)
    make_digits(HERE / "digits")
    photograph = data.coins()
    labels = outline_coins(photograph)
    source = random.Random(0)  # noqa: S311 - not for secrets
    write_coins(HERE / "coins", {split: make_crops(photograph, labels, split, source) for split in COIN_CROPS})


if __name__ == "__main__":
    main()
