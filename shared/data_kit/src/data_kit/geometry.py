"""Boxes and polygons in pixels, fitted to their image."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from data_kit.dataset import Box, Instance, Keypoint, Polygon

OVERSHOOT_PIXELS = 1.0
"""Distance over the image's edge without a warning: rounding, and formats that count pixels from 1."""


def clip_box(box: Box, size: tuple[int, int]) -> Box:
    """Return the part of `box` inside the image; it has no area if they do not meet."""
    x1, y1, x2, y2 = box
    width, height = size
    return (min(max(x1, 0.0), width), min(max(y1, 0.0), height), min(max(x2, 0.0), width), min(max(y2, 0.0), height))


def clip_points(points: Iterable[tuple[float, float]], size: tuple[int, int]) -> Polygon:
    """Move every corner to the nearest point of the image. Returns a flat tuple."""
    width, height = size
    return tuple(value for x, y in points for value in (min(max(x, 0.0), width), min(max(y, 0.0), height)))


def has_area(box: Box) -> bool:
    """Return whether it has a width and a height."""
    return box[2] > box[0] and box[3] > box[1]


def overshoot(box: Box, size: tuple[int, int]) -> float:
    """Return the number of pixels by which the box leaves the image."""
    return max(-box[0], -box[1], box[2] - size[0], box[3] - size[1], 0.0)


def bounds(polygons: Iterable[Polygon]) -> Box:
    """Return the smallest box around all corners."""
    xs = [x for polygon in polygons for x in polygon[0::2]]
    ys = [y for polygon in polygons for y in polygon[1::2]]
    return (min(xs), min(ys), max(xs), max(ys))


def area(polygon: Polygon) -> float:
    """Return the area in square pixels, by the shoelace formula."""
    points = list(corners(polygon))
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise([*points, points[0]]))) / 2


def corners(polygon: Polygon) -> Iterable[tuple[float, float]]:
    """Return the corners as pairs."""
    return zip(polygon[0::2], polygon[1::2], strict=True)


def polygon_instance(
    class_id: int,
    polygons: Sequence[Polygon],
    *,
    box: Box | None = None,
    keypoints: tuple[Keypoint, ...] = (),
    is_crowd: bool = False,
) -> Instance:
    """Return an object with an outline. A single polygon of four corners is an oriented box too: files do not
    distinguish them, and whether all of a data set's objects have four corners decides what it can train.
    """
    return Instance(
        class_id,
        box or bounds(polygons),
        tuple(polygons),
        keypoints,
        corners=polygons[0] if len(polygons) == 1 and len(polygons[0]) == 8 else None,
        is_crowd=is_crowd,
    )
