"""Overlaps of n detections (`found`) and m labels (`labelled`): (n, m) numbers from 0 to 1, as COCO defines them."""

import numpy as np
from numpy.typing import NDArray

from trainer_kit.evaluation.base import Bools, Floats, ratio


def box_overlaps(found: Floats, labelled: Floats, crowd: Bools | None = None) -> NDArray[np.float64]:
    """Intersection over union of boxes `x1, y1, x2, y2`, (n, 4) and (m, 4); over the detection's area for a `crowd`
    (m,).
    """
    found, labelled = (boxes.reshape(-1, 4).astype(np.float64) for boxes in (found, labelled))
    corner = np.maximum(found[:, None, :2], labelled[None, :, :2])
    opposite = np.minimum(found[:, None, 2:], labelled[None, :, 2:])
    shared = np.clip(opposite - corner, 0, None).prod(-1)
    return _over_union(shared, box_areas(found), box_areas(labelled), crowd)


def box_areas(boxes: Floats) -> NDArray[np.float64]:
    """Areas (n,) of boxes `x1, y1, x2, y2`, (n, 4)."""
    boxes = boxes.reshape(-1, 4).astype(np.float64)
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1)


def flat(masks: Bools) -> Bools:
    """Reshape masks (n, height, width) to (n, height * width); n may be 0."""
    return masks.reshape(len(masks), masks.shape[1] * masks.shape[2])


def mask_overlaps(found: Bools, labelled: Bools, crowd: Bools | None = None) -> NDArray[np.float64]:
    """Intersection over union of masks, (n, height, width) and (m, height, width); over the detection's area for a
    `crowd` (m,).
    """
    first, second = (flat(masks).astype(np.float32) for masks in (found, labelled))
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
    """Object keypoint similarity of points (n, k, 2 or more: x, y) and (m, k, 3: x, y, visibility).

    `boxes` (m, 4) are the labels' `x1, y1, x2, y2`, used for labels without a visible point; `areas` (m,) their areas;
    `sigmas` (k,) the standard deviation of each keypoint's annotations, relative to the object's scale.
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


def corner_overlaps(found: Floats, labelled: Floats) -> NDArray[np.float64]:
    """Intersection over union of oriented boxes, as corners (n, 4, 2) and (m, 4, 2) in order around each box."""
    shared = np.zeros((len(found), len(labelled)))
    near = np.nonzero(box_overlaps(_around(found), _around(labelled)) > 0)
    if len(near[0]):
        shared[near] = _shared_areas(found[near[0]].astype(np.float64), labelled[near[1]].astype(np.float64))
    return _over_union(shared, corner_areas(found), corner_areas(labelled), None)


def corner_areas(corners: Floats) -> NDArray[np.float64]:
    """Areas (n,) of polygons (n, points, 2), by the shoelace formula."""
    following = np.roll(corners, -1, axis=1).astype(np.float64)
    return np.abs((corners[..., 0] * following[..., 1] - corners[..., 1] * following[..., 0]).sum(1)) / 2


def _around(corners: Floats) -> Floats:
    """Upright boxes (n, 4) around corners (n, 4, 2)."""
    return np.concatenate([corners.min(1), corners.max(1)], axis=1) if len(corners) else np.zeros((0, 4))


def _shared_areas(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Areas of the intersections of pairs of convex quadrilaterals, both (pairs, 4, 2).

    The corners of an intersection are the corners of one shape inside the other, and the crossings of their edges.
    They are sorted by their angle around their middle.
    """
    crossings, crosses = _crossings(first, second)
    points = np.concatenate([first, second, crossings], axis=1)
    counted = np.concatenate([_inside(first, second), _inside(second, first), crosses], axis=1)
    middle = (points * counted[..., None]).sum(1) / np.maximum(counted.sum(1), 1)[:, None]
    away = points - middle[:, None]
    angle = np.where(counted, np.arctan2(away[..., 1], away[..., 0]), np.inf)
    order = np.argsort(angle, axis=1)
    ordered = np.take_along_axis(away, order[..., None], axis=1)
    is_counted = np.take_along_axis(counted, order, axis=1)
    areas = corner_areas(np.where(is_counted[..., None], ordered, ordered[:, :1]))
    return np.where(counted.sum(1) >= 3, areas, 0.0)


def _cross(first: Floats, second: Floats) -> Floats:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def _inside(points: Floats, shape: Floats) -> Bools:
    """(pairs, 4): true for points that lie in the shape or on its edge."""
    edges = np.roll(shape, -1, axis=1) - shape
    sides = _cross(edges[:, None], points[:, :, None] - shape[:, None])
    slack = 1e-9 * np.abs(edges).max(axis=(1, 2))[:, None] ** 2
    return (sides >= -slack[..., None]).all(2) | (sides <= slack[..., None]).all(2)


def _crossings(first: Floats, second: Floats) -> tuple[Floats, Bools]:
    """Crossings (pairs, 16, 2) of the lines through the edges, and (pairs, 16) true for those on both edges."""
    ours, theirs = np.roll(first, -1, axis=1) - first, np.roll(second, -1, axis=1) - second
    apart = second[:, None] - first[:, :, None]
    turn = _cross(ours[:, :, None], theirs[:, None])
    steep = np.where(turn == 0, np.inf, turn)
    along, across = _cross(apart, theirs[:, None]) / steep, _cross(apart, ours[:, :, None]) / steep
    on_both = (turn != 0) & (along >= 0) & (along <= 1) & (across >= 0) & (across <= 1)
    points = first[:, :, None] + along[..., None] * ours[:, :, None]
    return points.reshape(len(first), 16, 2), on_both.reshape(len(first), 16)
