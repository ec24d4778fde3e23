"""Shapes are drawn where they are, in the colour of their class."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_kit.drawing import Caption, Shape, color_of, draw_names, draw_shapes

GRAY = (90, 90, 90)
COIN = Caption(1, "coin")


def drawn(shape: Shape, factor: float = 2.0) -> Image.Image:
    return draw_shapes(Image.new("RGB", (400, 200), GRAY), [shape], factor=factor, skeleton=[(0, 1), (1, 2)])


def shows(picture: Image.Image, x: int, y: int, color: tuple[int, int, int]) -> bool:
    pixel: Any = picture.getpixel((x, y))
    return max(abs(a - b) for a, b in zip(pixel, color, strict=True)) < 30


def is_tinted(picture: Image.Image, x: int, y: int) -> bool:
    pixel: Any = picture.getpixel((x, y))
    mixed = [gray + (color - gray) * 96 / 255 for gray, color in zip(GRAY, color_of(1), strict=True)]
    return all(abs(a - b) < 12 for a, b in zip(pixel, mixed, strict=True))


def test_a_box_is_an_outline() -> None:
    picture = drawn(Shape(COIN, (20, 20, 120, 80)))

    assert shows(picture, 40, 100, color_of(1))
    assert shows(picture, 240, 100, color_of(1))
    assert shows(picture, 140, 100, GRAY)


def test_a_turned_box_is_an_outline_of_its_corners_alone() -> None:
    picture = drawn(Shape(COIN, (20, 20, 120, 80), corners=(70, 20, 120, 50, 70, 80, 20, 50)))

    assert shows(picture, 190, 70, color_of(1))
    assert shows(picture, 41, 45, GRAY)
    assert shows(picture, 140, 100, GRAY)


@pytest.mark.parametrize("form", ["mask", "polygon"])
def test_a_mask_and_a_polygon_look_alike(form: str) -> None:
    mask = np.zeros((100, 200), dtype=np.bool_)
    mask[20:80, 20:120] = True
    corners = (20, 20, 120, 20, 120, 80, 20, 80)
    shape = Shape(COIN, (20, 20, 120, 80), **({"mask": mask} if form == "mask" else {"polygons": [corners]}))

    picture = drawn(shape)

    assert is_tinted(picture, 140, 100)
    assert shows(picture, 40, 100, color_of(1))
    assert shows(picture, 240, 100, color_of(1))
    assert shows(picture, 260, 100, GRAY)


def test_a_hole_of_a_mask_stays_clear() -> None:
    mask = np.ones((100, 200), dtype=np.bool_)
    mask[40:60, 80:120] = False

    picture = drawn(Shape(COIN, (0, 0, 200, 100), mask=mask))

    assert shows(picture, 200, 100, GRAY)
    assert is_tinted(picture, 100, 50)


def test_an_empty_mask_draws_nothing() -> None:
    picture = drawn(Shape(COIN, (0, 0, 0, 0), mask=np.zeros((100, 200), dtype=np.bool_)))

    assert picture.getcolors() == [(400 * 200, GRAY)]


def test_hidden_keypoints_are_hollow_and_unlabelled_ones_missing() -> None:
    picture = drawn(Shape(COIN, (0, 0, 200, 100), keypoints=[(50, 50, 2), (150, 50, 1), (10, 90, 0)]))

    assert shows(picture, 100, 100, color_of(1))
    assert shows(picture, 200, 100, color_of(1))
    assert shows(picture, 300, 100, (255, 255, 255))
    assert shows(picture, 20, 180, GRAY)


def test_names_of_two_objects_at_one_place_are_both_readable() -> None:
    picture = Image.new("RGB", (400, 400), GRAY)
    shapes = [Shape(Caption(class_id, "coin", "0.90"), (100, 100, 300, 300)) for class_id in (0, 1)]

    draw_names(picture, shapes, factor=1.0)

    colors = {color for _, color in picture.getcolors(2**20) or []}
    assert {color_of(0), color_of(1)} <= colors
