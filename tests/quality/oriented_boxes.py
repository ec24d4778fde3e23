"""`oriented_boxes.py OUTLINES NEW`: converts a YOLO data set of outlines into one of their smallest oriented boxes.

Executed by the Python of the ultralytics service, which has OpenCV.
"""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def main(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source / "images", partial / "images")
    shutil.copy(source / "data.yaml", partial)
    images = {path.stem: path for path in (source / "images").glob("*/*")}
    for label in (source / "labels").glob("*/*.txt"):
        with Image.open(images[label.stem]) as image:
            size = image.size
        lines = [turned_box(line, size) for line in label.read_text().splitlines()]
        new = partial / "labels" / label.parent.name / label.name
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_text("\n".join(lines))
    partial.rename(target)


def turned_box(line: str, size: tuple[int, int]) -> str:
    """Convert a line `class x y x y …` into `class` and four corners, as fractions of the image."""
    class_id, *numbers = line.split()
    points = np.array(numbers, dtype=float).reshape(-1, 2) * size
    corners = np.clip(cv2.boxPoints(cv2.minAreaRect(points.astype(np.float32))) / size, 0, 1)
    return " ".join([class_id, *(f"{value:.6f}" for value in corners.flatten())])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
