"""Matching of detections and labels by COCO's rules, for every overlap threshold and range of sizes at once."""

import numpy as np
from numpy.typing import NDArray

from trainer_kit.evaluation.base import Bools, Floats, Ints

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Overlaps from which a detection counts as a hit."""

SIZES = {"": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Ranges of area in square pixels, both ends included; the first has all sizes."""

HIT, MISS, NOT_COUNTED = 1, 0, -1

_LOW, _HIGH = (np.array(ends)[:, None] for ends in zip(*SIZES.values(), strict=True))


def uncounted_labels(areas: Floats, ignored: Bools) -> Bools:
    """(sizes, labels): true for labels that need not be found."""
    return ignored[None, :] | (areas[None, :] < _LOW) | (areas[None, :] > _HIGH)


def match(overlap: Floats, areas: Floats, uncounted: Bools, crowd: Bools) -> NDArray[np.int8]:
    """Match n detections with m labels. Return HIT, MISS or NOT_COUNTED, (sizes, thresholds, n).

    `overlap` is (n, m), the best score first. Each detection takes the free label that it overlaps most, one that
    counts before one that does not; a crowd stays free.
    """
    outside = (areas[None, :] < _LOW) | (areas[None, :] > _HIGH)
    unmatched = np.where(outside, NOT_COUNTED, MISS).astype(np.int8)[:, None, :]
    codes = np.repeat(unmatched, len(THRESHOLDS), axis=1)
    if not overlap.shape[1]:
        return codes
    free = np.ones((len(SIZES), len(THRESHOLDS), overlap.shape[1]), dtype=bool)
    counts = ~uncounted[:, None, :]
    for index in np.flatnonzero(overlap.max(1) >= THRESHOLDS[0]):
        close: Bools = free & (overlap[index] >= THRESHOLDS[:, None])
        preferred: Bools = close & counts
        close = np.where(preferred.any(2, keepdims=True), preferred, close)
        chosen = _last_largest(np.where(close, overlap[index], -1.0))
        hit = np.nonzero(close.any(2))
        label = chosen[hit]
        codes[(*hit, np.full(len(label), index))] = np.where(uncounted[hit[0], label], NOT_COUNTED, HIT)
        free[(*hit, label)] = crowd[label]
    return codes


def _last_largest(values: Floats) -> Ints:
    """Index of the largest value along the last axis; the last one of equals, as in COCO's own code."""
    return values.shape[-1] - 1 - values[..., ::-1].argmax(-1)
