from collections.abc import Sequence

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from data_kit.dataset import Polygon
from data_kit.geometry import area
from data_kit.masks import decode_rle, fill_polygons, outlines


def filled(polygons: Sequence[Polygon], shape: tuple[int, int], scale: int = 4) -> np.ndarray:
    """Which pixel centres lie inside a polygon, by a picture four times as large."""
    image = Image.new("1", (shape[1] * scale, shape[0] * scale))
    for polygon in polygons:
        ImageDraw.Draw(image).polygon([value * scale for value in polygon], fill=1)
    return np.asarray(image)[scale // 2 :: scale, scale // 2 :: scale]


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_outlines_cover_the_mask(mask: np.ndarray) -> None:
    covered = filled(outlines(mask), mask.shape)

    assert (covered | ~mask).all()


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_runs_are_decoded_column_by_column(mask: np.ndarray) -> None:
    column_major = mask.T.ravel()
    changes = np.flatnonzero(np.diff(column_major, prepend=False)).tolist()
    runs = np.diff([0, *changes, mask.size]).tolist()

    assert (decode_rle({"size": list(mask.shape), "counts": runs}) == mask).all()


def test_parts_that_touch_at_a_corner_have_outlines_of_their_own() -> None:
    assert outlines(np.eye(2, dtype=bool)) == ((0, 0, 1, 0, 1, 1, 0, 1), (1, 1, 2, 1, 2, 2, 1, 2))


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
@example(np.pad(np.pad(np.ones((2, 2), bool), 2), 1, constant_values=True))
@example(np.indices((9, 41)).min(axis=0) % 2 == 0)
def test_filled_outlines_are_the_mask_with_its_holes(mask: np.ndarray) -> None:
    height, width = mask.shape
    assert (fill_polygons(outlines(mask), width, height) == mask).all()
    assert sum(map(area, outlines(mask))) == mask.sum()


def test_a_hole_is_joined_to_the_outline_around_it_by_a_level_bridge() -> None:
    ring = np.ones((4, 5), bool)
    ring[1:3, 2:4] = False

    assert outlines(ring) == ((0, 0, 5, 0, 5, 4, 0, 4, 0, 1, 2, 1, 2, 3, 4, 3, 4, 1, 0, 1),)


def test_a_mask_with_thousands_of_holes_has_one_outline() -> None:
    mask = np.ones((201, 201), bool)
    mask[1::2, 1::2] = False

    (outline,) = outlines(mask)

    assert (fill_polygons([outline], 201, 201) == mask).all()


def test_a_polygon_fills_the_pixels_whose_centre_it_covers_and_may_leave_the_image() -> None:
    slanted = (0.6, 0.0, 3.0, 0.0, 3.0, 2.4, 1.4, 2.4)
    assert fill_polygons([slanted], 4, 3).astype(int).tolist() == [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert fill_polygons([(-5, -5, 9, -5, 9, 9, -5, 9)], 3, 2).all()
    assert not fill_polygons([(5, 5, 9, 5, 9, 9, 5, 9)], 3, 2).any()
