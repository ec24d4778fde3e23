"""Mean average precision as COCO defines it (all areas, 100 detections), in plain numpy."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Overlap from which a detection counts."""

RECALLS = np.linspace(0.0, 1.0, 101)
"""Where precision is read off."""


class AveragePrecision:
    """Collects images one by one. Boxes are `x1, y1, x2, y2`."""

    def __init__(self, num_classes: int) -> None:
        self.labelled = np.zeros(num_classes, dtype=np.int64)
        self.scores: list[list[Floats]] = [[] for _ in range(num_classes)]
        self.hits: list[list[NDArray[np.bool_]]] = [[] for _ in range(num_classes)]

    def add_image(self, boxes: Floats, scores: Floats, classes: Ints, true_boxes: Floats, true_classes: Ints) -> None:
        """One image's detections, and what is labelled in it."""
        for label in _labels_in(classes, true_classes):
            mine, true = classes == label, true_classes == label
            order = np.argsort(-scores[mine], kind="stable")
            overlap = iou(boxes[mine][order], true_boxes[true])
            self.labelled[label] += int(true.sum())
            self.scores[label].append(scores[mine][order])
            self.hits[label].append(np.stack([match(overlap, threshold) for threshold in THRESHOLDS]))

    def compute(self) -> Floats:
        """For each threshold the mean over the classes that are labelled at all; 0 if none is."""
        present = np.flatnonzero(self.labelled)
        if not len(present):
            return np.zeros(len(THRESHOLDS))
        return np.mean([self._of_class(int(label)) for label in present], axis=0)

    def _of_class(self, label: int) -> Floats:
        order = np.argsort(-np.concatenate(self.scores[label]), kind="stable")
        hits = np.concatenate(self.hits[label], axis=1)[:, order]
        return np.array([_area(row, int(self.labelled[label])) for row in hits])


def _labels_in(classes: Ints, true_classes: Ints) -> Iterable[int]:
    return np.union1d(classes, true_classes).astype(int).tolist()


def iou(first: Floats, second: Floats) -> Floats:
    """Intersection over union of every pair."""
    corner = np.maximum(first[:, None, :2], second[None, :, :2])
    opposite = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(opposite - corner, 0, None).prod(-1)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match(overlap: Floats, threshold: float) -> NDArray[np.bool_]:
    """Which detections hit, best score first: each takes the free label that it overlaps most."""
    hits = np.zeros(overlap.shape[0], dtype=bool)
    free = overlap.copy()
    for index in range(overlap.shape[0] if overlap.shape[1] else 0):
        best = int(free[index].argmax())
        if free[index, best] >= threshold:
            hits[index] = True
            free[:, best] = -1
    return hits


def _area(hits: NDArray[np.bool_], labelled: int) -> float:
    """Under the curve of precision over recall, made monotonous and read at 101 recalls."""
    found = np.cumsum(hits)
    recall = found / labelled
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    index = np.searchsorted(recall, RECALLS, side="left")
    return float(np.where(index < len(hits), np.append(envelope, 0.0)[np.minimum(index, len(hits))], 0.0).mean())
