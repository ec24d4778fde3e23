"""Writer of YOLO."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from data_kit.dataset import Dataset, Instance, Polygon, Sample
from data_kit.writers.image_files import place_images
from vision_contracts import TaskType

_MOST_DISTANCES = 100_000
"""Distances between points of two outlines that are computed at a time."""


def write_yolo(dataset: Dataset, folder: Path, task_type: TaskType) -> Path:
    """Write images and the labels of one task below `folder`; returns its `data.yaml`. Crowds are left out.

    Nothing moves by more than a hundred-thousandth of a pixel, in images of up to 4,000 pixels.
    """
    config: dict[str, Any] = {}
    num_keypoints = _num_keypoints(dataset) if task_type is TaskType.POSE_ESTIMATION else 0
    for split, samples in dataset.splits.items():
        images = place_images(samples, folder / "images" / split)
        labels = folder / "labels" / split
        labels.mkdir(parents=True, exist_ok=True)
        for image, sample in zip(images, samples, strict=True):
            (labels / f"{image.stem}.txt").write_text(_label(sample, task_type, num_keypoints), "utf-8")
        config[split.value] = f"images/{split}"
    if num_keypoints:
        config |= {"kpt_shape": [num_keypoints, 3]}
        config |= {"flip_idx": list(dataset.keypoint_flip)} if dataset.keypoint_flip else {}
        config |= {"kpt_names": {0: list(dataset.keypoint_names)}} if dataset.keypoint_names else {}
        config |= {"skeleton": [list(pair) for pair in dataset.skeleton]} if dataset.skeleton else {}
    config["names"] = dict(enumerate(dataset.class_names))
    file = folder / "data.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), "utf-8")
    return file


def _num_keypoints(dataset: Dataset) -> int:
    return max(
        (len(i.keypoints) for samples in dataset.splits.values() for s in samples for i in s.instances),
        default=0,
    )


def _label(sample: Sample, task_type: TaskType, num_keypoints: int) -> str:
    rows = (_row(i, sample, task_type, num_keypoints) for i in sample.instances if not i.is_crowd)
    return "".join(f"{' '.join(row)}\n" for row in rows)


def _row(instance: Instance, sample: Sample, task_type: TaskType, num_keypoints: int) -> list[str]:
    match task_type:
        case TaskType.INSTANCE_SEGMENTATION | TaskType.SEMANTIC_SEGMENTATION:
            values = _shares(join_polygons(instance.polygons), sample)
        case TaskType.ORIENTED_OBJECT_DETECTION:
            values = _shares(instance.corners or (), sample)
        case TaskType.POSE_ESTIMATION:
            values = [*_box(instance, sample), *_keypoints(instance, sample, num_keypoints)]
        case _:
            values = _box(instance, sample)
    return [str(instance.class_id), *values]


def _box(instance: Instance, sample: Sample) -> list[str]:
    x1, y1, x2, y2 = instance.box
    return _shares(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), sample)


def _keypoints(instance: Instance, sample: Sample, num_keypoints: int) -> list[str]:
    keypoints = instance.keypoints or ((0.0, 0.0, 0),) * num_keypoints
    return [value for x, y, seen in keypoints for value in (*_shares((x, y), sample), str(seen))]


def _shares(values: Sequence[float], sample: Sample) -> list[str]:
    """Format x, y, x, y … as shares of width and height. Nine digits: exact in images of any size."""
    sides = (sample.width, sample.height)
    return [f"{value / sides[index % 2]:.9g}" for index, value in enumerate(values)]


def join_polygons(polygons: Sequence[Polygon]) -> Polygon:
    """Join all parts to one outline, since YOLO has one for each object, by the shortest bridges."""
    first, *others = (np.reshape(polygon, (-1, 2)).astype(np.float64) for polygon in polygons)
    joined = first
    for part in others:
        here, there = _closest(joined, part)
        joined = np.concatenate((joined[: here + 1], part[there:], part[: there + 1], joined[here:]))
    return tuple(joined.ravel().tolist())


def _closest(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[int, int]:
    """Return the indices of the two points that are nearest to each other."""
    rows = max(1, _MOST_DISTANCES // len(other))
    x, y = other.T
    best, found = np.inf, (0, 0)
    for start in range(0, len(one), rows):
        some = one[start : start + rows, :, None]
        distances = (some[:, 0] - x) ** 2 + (some[:, 1] - y) ** 2
        here, there = divmod(int(distances.argmin()), len(other))
        if distances[here, there] < best:
            best, found = distances[here, there], (start + here, there)
    return found
