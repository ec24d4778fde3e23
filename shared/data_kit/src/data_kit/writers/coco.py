"""Writer of COCO."""

import json
from pathlib import Path
from typing import Any

from data_kit.dataset import Dataset, Instance, Split
from data_kit.geometry import area
from data_kit.writers.image_files import place_images


def write_coco(dataset: Dataset, folder: Path) -> Path:
    """Write `images/<split>/` and `annotations/instances_<split>.json` below `folder`; returns the latter's folder."""
    annotations = folder / "annotations"
    annotations.mkdir(parents=True, exist_ok=True)
    for split in dataset.splits:
        images = place_images(dataset[split], folder / "images" / split)
        content = json.dumps(_content(dataset, split, [image.name for image in images]), ensure_ascii=False)
        (annotations / f"instances_{split}.json").write_text(content, "utf-8")
    return annotations


def _content(dataset: Dataset, split: Split, names: list[str]) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (name, sample) in enumerate(zip(names, dataset[split], strict=True), start=1):
        images.append({"id": image_id, "file_name": name, "width": sample.width, "height": sample.height})
        for instance in sample.instances:
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, **_annotation(instance)})
    return {"images": images, "annotations": annotations, "categories": _categories(dataset)}


def _categories(dataset: Dataset) -> list[dict[str, Any]]:
    shared: dict[str, Any] = {}
    if dataset.keypoint_names:
        shared["keypoints"] = list(dataset.keypoint_names)
        shared["skeleton"] = [[a + 1, b + 1] for a, b in dataset.skeleton]
    return [{"id": class_id, "name": name, **shared} for class_id, name in enumerate(dataset.class_names, start=1)]


def _annotation(instance: Instance) -> dict[str, Any]:
    x1, y1, x2, y2 = instance.box
    annotation: dict[str, Any] = {
        "category_id": instance.class_id + 1,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "segmentation": [list(polygon) for polygon in instance.polygons],
        "area": sum(map(area, instance.polygons)) if instance.polygons else (x2 - x1) * (y2 - y1),
        "iscrowd": int(instance.is_crowd),
    }
    if instance.keypoints:
        annotation["keypoints"] = [value for keypoint in instance.keypoints for value in keypoint]
        annotation["num_keypoints"] = sum(seen > 0 for _, _, seen in instance.keypoints)
    return annotation
