from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from data_kit.dataset import Polygon
from data_kit.masks import decode_rle, fill_polygons, outlines


def filled(polygons: Sequence[Polygon], shape: tuple[int, int], scale: int = 4) -> np.ndarray:
    """Which pixel centres lie inside a polygon, by a picture four times as large."""
    image = Image.new("1", (shape[1] * scale, shape[0] * scale))
    for polygon in polygons:
        ImageDraw.Draw(image).polygon([value * scale for value in polygon], fill=1)
    return np.asarray(image)[scale // 2 :: scale, scale // 2 :: scale]


def without_holes(mask: np.ndarray) -> np.ndarray:
    """By flooding the background from outside, over edges and corners."""
    outside = np.zeros(np.add(mask.shape, 2), bool)
    outside[0] = True
    while True:
        grown = outside.copy()
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                grown |= np.roll(outside, (dy, dx), (0, 1))
        grown &= ~np.pad(mask, 1)
        if (grown == outside).all():
            return ~outside[1:-1, 1:-1]
        outside = grown


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_outlines_cover_the_mask_and_nothing_but_its_holes(mask: np.ndarray) -> None:
    covered = filled(outlines(mask), mask.shape)

    assert (covered | ~mask).all()
    assert not (covered & ~without_holes(mask) & ~mask).any()


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_runs_are_decoded_column_by_column(mask: np.ndarray) -> None:
    column_major = mask.T.ravel()
    changes = np.flatnonzero(np.diff(column_major, prepend=False)).tolist()
    runs = np.diff([0, *changes, mask.size]).tolist()

    assert (decode_rle({"size": list(mask.shape), "counts": runs}) == mask).all()


def test_parts_that_touch_at_a_corner_have_outlines_of_their_own() -> None:
    assert outlines(np.eye(2, dtype=bool)) == ((0, 0, 1, 0, 1, 1, 0, 1), (1, 1, 2, 1, 2, 2, 1, 2))


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_filled_outlines_are_the_mask_without_its_holes(mask: np.ndarray) -> None:
    height, width = mask.shape
    assert (fill_polygons(outlines(mask), width, height) == without_holes(mask)).all()


def test_a_polygon_fills_the_pixels_whose_centre_it_covers_and_may_leave_the_image() -> None:
    slanted = (0.6, 0.0, 3.0, 0.0, 3.0, 2.4, 1.4, 2.4)
    assert fill_polygons([slanted], 4, 3).astype(int).tolist() == [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert fill_polygons([(-5, -5, 9, -5, 9, 9, -5, 9)], 3, 2).all()
    assert not fill_polygons([(5, 5, 9, 5, 9, 9, 5, 9)], 3, 2).any()
