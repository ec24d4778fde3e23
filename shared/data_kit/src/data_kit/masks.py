"""Run-length masks as COCO writes them, and their outlines as polygons."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_kit.dataset import Polygon

Mask = NDArray[np.bool_]
"""Height by width."""

_MOST_BITS = 50
"""Longest number in a compressed mask."""


def decode_rle(rle: dict[str, Any]) -> Mask:
    """Decode COCO's `{"size": [height, width], "counts": […] or "…"}`.

    Raises ValueError if the runs do not fill the size exactly.
    """
    height, width = (int(side) for side in rle["size"])
    counts = rle["counts"]
    runs = np.asarray(_unpack(counts) if isinstance(counts, str) else counts, dtype=np.int64)
    area = height * width
    if min(height, width) <= 0 or runs.ndim != 1 or ((runs < 0) | (runs > area)).any() or runs.sum() != area:
        raise ValueError(f"the runs do not add up to {width} x {height} pixels")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def _unpack(text: str) -> list[int]:
    """Decode COCO's compressed counts: five bits a character, from the third run on differences to the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"{character!r} is no character of a compressed mask")
        value |= (bits & 0x1F) << shift
        shift += 5
        if shift > _MOST_BITS:
            raise ValueError("a run of the compressed mask is too long")
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the compressed mask is cut off")
    return runs


def fill_polygons(polygons: Iterable[Polygon], width: int, height: int) -> Mask:
    """Return the mask of all pixels whose centre lies in any of the polygons, by the even-odd rule."""
    mask = np.zeros((height, width), dtype=np.bool_)
    for polygon in polygons:
        _fill(mask, np.asarray(polygon, dtype=np.float64).reshape(-1, 2))
    return mask


def _fill(mask: Mask, points: NDArray[np.float64]) -> None:
    """Fill row by row: the inside begins and ends where an edge crosses the height of the pixels' centres."""
    height, width = mask.shape
    (left, top), (right, bottom) = points.min(0), points.max(0)
    first_row, last_row = max(0, int(top)), min(height, int(np.ceil(bottom)))
    first_column, last_column = max(0, int(left)), min(width, int(np.ceil(right)) + 1)
    if first_row >= last_row or first_column >= last_column:
        return
    x, y = points[:, 0], points[:, 1]
    to_x, to_y = np.roll(x, -1), np.roll(y, -1)
    centres = np.arange(first_row + 0.5, last_row, dtype=np.float64)[:, None]
    crosses: Mask = np.not_equal(np.less_equal(y, centres), np.less_equal(to_y, centres))
    rows, edges = np.nonzero(crosses)
    share: NDArray[np.float64] = (centres[rows, 0] - y[edges]) / (to_y[edges] - y[edges])
    columns = np.ceil(x[edges] + share * (to_x[edges] - x[edges]) - 0.5).astype(np.int64)
    crossings = np.zeros((last_row - first_row, last_column - first_column), dtype=np.int64)
    np.add.at(crossings, (rows, np.clip(columns, first_column, last_column - 1) - first_column), columns < last_column)
    mask[first_row:last_row, first_column:last_column] |= np.cumsum(crossings, axis=1) % 2 == 1


def outlines(mask: Mask) -> tuple[Polygon, ...]:
    """Return the outline of each part along the edges of its pixels: `fill_polygons` gives the mask again, exactly.

    A hole is a part of the outline around it, joined to it by a bridge without width.
    """
    steps = _boundary_steps(mask)
    loops: list[list[_Point]] = []
    while steps:
        loops.append(_take_loop(steps))
    outer = [loop for loop in loops if _signed_area(loop) > 0]
    bridges = _bridges(loops, [loop for loop in loops if _signed_area(loop) < 0])
    return tuple(_turns(_joined(loop, bridges)) for loop in outer)


_Point = tuple[int, int]
_Steps = dict[_Point, list[_Point]]


def _boundary_steps(mask: Mask) -> _Steps:
    """Return the steps from corner to corner of boundary pixels, with the mask on the right hand (y points down)."""
    padded = np.pad(mask, 1)
    steps: _Steps = {}
    inside = padded[1:-1, 1:-1]
    sides = (
        (inside & ~padded[:-2, 1:-1], (0, 0), (1, 0)),  # top, to the right
        (inside & ~padded[1:-1, 2:], (1, 0), (1, 1)),  # right, down
        (inside & ~padded[2:, 1:-1], (1, 1), (0, 1)),  # bottom, to the left
        (inside & ~padded[1:-1, :-2], (0, 1), (0, 0)),  # left, up
    )
    for edge, (from_x, from_y), (to_x, to_y) in sides:
        for y, x in np.argwhere(edge).tolist():
            steps.setdefault((x + from_x, y + from_y), []).append((x + to_x, y + to_y))
    return steps


def _take_loop(steps: _Steps) -> list[_Point]:
    """Remove one closed loop from `steps`, and return it with every point between two pixels."""
    start = point = next(iter(steps))
    loop: list[_Point] = []
    direction: _Point = (0, 0)
    while not loop or point != start:
        loop.append(point)
        choices = steps[point]
        # Turning right keeps two parts apart that touch at a corner.
        following = min(choices, key=lambda to: to != _turn_right(point, direction))
        choices.remove(following)
        if not choices:
            del steps[point]
        point, direction = following, (following[0] - point[0], following[1] - point[1])
    return loop


def _bridges(loops: Iterable[list[_Point]], holes: Iterable[list[_Point]]) -> dict[_Point, list[_Point]]:
    """Return holes by the point of another loop that lies to the left of their first point.

    Each hole begins at that first point, which is the leftmost of the topmost. Between the two lies nothing but mask:
    the other loop is of the same part. A bridge is level, and so never crosses the middle of a row.
    """
    boundary = {point for loop in loops for point in loop}
    bridges: dict[_Point, list[_Point]] = {}
    for hole in holes:
        y, x = min((y, x) for x, y in hole)
        start = hole.index((x, y))
        x -= 1
        while (x, y) not in boundary:
            x -= 1
        bridges[x, y] = [*hole[start:], *hole[:start]]
    return bridges


def _joined(loop: list[_Point], bridges: dict[_Point, list[_Point]]) -> Iterator[_Point]:
    """Yield the loop with a bridge to each of its holes, around it, and back; and from these holes to others."""
    paths = [iter(loop)]
    while paths:
        point = next(paths[-1], None)
        if point is None:
            paths.pop()
            continue
        yield point
        hole = bridges.pop(point, None)
        if hole is not None:
            paths.append(iter([*hole, hole[0], point]))


def _turns(loop: Iterable[_Point]) -> Polygon:
    """Return the loop's turning points only."""
    points = np.array(list(loop), dtype=np.float64)
    headings = np.sign(np.roll(points, -1, axis=0) - points)
    is_turn = (headings != np.roll(headings, 1, axis=0)).any(axis=1)
    return tuple(points[is_turn].ravel().tolist())


def _turn_right(point: _Point, direction: _Point) -> _Point:
    return (point[0] - direction[1], point[1] + direction[0])


def _signed_area(loop: list[_Point]) -> int:
    """Return twice the area; positive for an outer outline, negative for a hole."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(loop, [*loop[1:], loop[0]], strict=True))
