"""How much what was found covers what is labelled: (found, labelled) numbers from 0 to 1, as COCO has them."""

import numpy as np
from numpy.typing import NDArray

from trainer_kit.evaluation.base import Bools, Floats, ratio


def box_overlaps(found: Floats, labelled: Floats, crowd: Bools | None = None) -> NDArray[np.float64]:
    """Of boxes `x1, y1, x2, y2`: intersection over union, or over what was found where the label is a crowd."""
    found, labelled = (boxes.reshape(-1, 4).astype(np.float64) for boxes in (found, labelled))
    corner = np.maximum(found[:, None, :2], labelled[None, :, :2])
    opposite = np.minimum(found[:, None, 2:], labelled[None, :, 2:])
    shared = np.clip(opposite - corner, 0, None).prod(-1)
    return _over_union(shared, box_areas(found), box_areas(labelled), crowd)


def box_areas(boxes: Floats) -> NDArray[np.float64]:
    """Of boxes `x1, y1, x2, y2`."""
    boxes = boxes.reshape(-1, 4).astype(np.float64)
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1)


def mask_overlaps(found: Bools, labelled: Bools, crowd: Bools | None = None) -> NDArray[np.float64]:
    """Of masks, (found, height, width) and (labelled, height, width)."""
    first, second = (masks.reshape(len(masks), -1).astype(np.float32) for masks in (found, labelled))
    shared = (
        (first @ second.T).astype(np.float64) if first.size and second.size else np.zeros((len(first), len(second)))
    )
    return _over_union(shared, first.sum(1, dtype=np.float64), second.sum(1, dtype=np.float64), crowd)


def _over_union(shared: Floats, found: Floats, labelled: Floats, crowd: Bools | None) -> NDArray[np.float64]:
    union = found[:, None] + labelled[None, :] - shared
    if crowd is not None:
        union = np.where(crowd[None, :], found[:, None], union)
    return ratio(shared, union)


def keypoint_overlaps(found: Floats, labelled: Floats, boxes: Floats, areas: Floats, sigmas: Floats) -> Floats:
    """Object keypoint similarity of (found, k, 2+) and (labelled, k, 3: x, y, visibility) points.

    `boxes` are the labels' `x1, y1, x2, y2`, for labels without a visible point, `areas` their areas; `sigmas` (k,) how
    exactly each point can be placed.
    """
    seen: Bools = np.greater(labelled[..., 2], 0)
    apart = found[:, None, :, :2].astype(np.float64) - labelled[None, :, :, :2]
    low = boxes[:, :2] - (boxes[:, 2:] - boxes[:, :2])
    high = boxes[:, :2] + 2 * (boxes[:, 2:] - boxes[:, :2])
    points = found[:, None, :, :2].astype(np.float64)
    outside = np.maximum(0, low[None, :, None] - points) + np.maximum(0, points - high[None, :, None])
    placed: Bools = np.logical_or.reduce(seen, axis=1, keepdims=True)
    distance = np.where(placed[None, :, :, None], apart, outside)
    error = (distance**2).sum(-1) / (2 * sigmas) ** 2 / (areas[None, :, None] + np.spacing(1)) / 2
    counted = seen | ~placed
    return (np.exp(-error) * counted).sum(-1) / counted.sum(1)
