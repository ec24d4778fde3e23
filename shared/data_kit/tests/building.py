"""Data sets made for one test each."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from data_kit import DatasetError, Finding, open_dataset

BOX = "0 0.5 0.5 0.5 0.5"
OUTLINE = "0 0.1 0.1 0.9 0.1 0.5 0.9"


def put_image(path: Path, size: tuple[int, int] = (40, 20), color: Any = (200, 30, 30), **options: Any) -> Path:
    """A picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)
    return path


def put_text(path: Path, text: str) -> Path:
    """A text file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def put_yolo(root: Path, train: Iterable[str], val: Iterable[str] = (), *, config: str = "names: [cat, dog]") -> Path:
    """A YOLO data set of one image for each text of labels."""
    keys = "train: images/train\n" + ("val: images/val\n" if val else "")
    put_text(root / "data.yaml", f"{keys}{config}\n")
    for split, labels in (("train", train), ("val", val)):
        for index, label in enumerate(labels):
            put_image(root / "images" / split / f"{index}.png")
            put_text(root / "labels" / split / f"{index}.txt", label)
    return root


def put_classes(root: Path, counts: dict[str, int]) -> Path:
    """An ImageFolder: the number of images for each folder."""
    for folder, count in counts.items():
        for index in range(count):
            put_image(root / folder / f"{index}.png")
    return root


def put_coco(path: Path, annotations: Sequence[dict[str, Any]], **changes: Any) -> Path:
    """A COCO file about `a.png`, 40 x 20, with categories 3 cat and 7 dog."""
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 20}],
        "annotations": [{"id": i, "image_id": 1, **annotation} for i, annotation in enumerate(annotations, start=1)],
        "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
    }
    return put_text(path, json.dumps(content | changes))


def findings_of(root: Path, **options: Any) -> list[Finding]:
    """Return the findings of a data set that cannot be opened."""
    with pytest.raises(DatasetError) as raised:
        open_dataset(root, **options)
    return raised.value.findings


def only_finding(root: Path, **options: Any) -> Finding:
    """The one error of a data set that cannot be opened."""
    (error,) = [finding for finding in findings_of(root, **options) if finding.severity == "error"]
    return error
