"""Rows below a picture."""

from collections.abc import Callable, Sequence

import pytest
from PIL import Image

from data_kit.drawing import Caption, Row, color_of, with_bars, with_legend

Draw = Callable[[Image.Image, Sequence[Row]], Image.Image]
ROWS = [Row(Caption(0, "coin", "75%"), 0.75), Row(Caption(1, "a name far too long for its picture " * 4, "25%"), 0.25)]


@pytest.mark.parametrize("draw", [with_bars, with_legend])
def test_rows_are_below_the_picture_and_leave_it_as_it_is(draw: Draw) -> None:
    picture = Image.new("RGB", (320, 200), "gray")

    framed = draw(picture, ROWS)

    assert framed.crop((0, 0, 320, 200)).tobytes() == picture.tobytes()
    assert framed.width == 320
    assert framed.height > 230


def test_a_bar_is_as_long_as_its_share() -> None:
    framed = with_bars(Image.new("RGB", (320, 200), "gray"), ROWS)

    assert framed.getpixel((235, 206)) != (255, 255, 255)
    assert framed.getpixel((245, 206)) == (255, 255, 255)


def test_a_legend_has_the_colors_of_its_classes() -> None:
    framed = with_legend(Image.new("RGB", (320, 200), "gray"), ROWS)

    assert {color_of(0), color_of(1)} <= {color for _, color in framed.getcolors(2**16) or []}
