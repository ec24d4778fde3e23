"""Rows of text below a picture: bars of a classification, and the legend of a segmentation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from data_kit.drawing.captions import Caption, text_size

_ROW_HEIGHT = 1.6
"""Height of a row, in heights of its letters."""
_BAR_ALPHA = 110
_MARGIN = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A class and its share, from 0 to 1."""

    caption: Caption
    share: float


def with_bars(picture: Image.Image, rows: Sequence[Row]) -> Image.Image:
    """Return the picture with a bar for each row below it, as long as its share."""
    framed = _Framed(picture, len(rows))
    for row, top in zip(rows, framed.tops(), strict=True):
        area = (0, top, row.share * framed.picture.width, top + framed.height - _MARGIN)
        framed.drawing.rectangle(area, fill=(*row.caption.color, _BAR_ALPHA))
        framed.write(row.caption, _MARGIN, top)
    return framed.picture


def with_legend(picture: Image.Image, rows: Sequence[Row]) -> Image.Image:
    """Return the picture with a field of its colour for each row below it."""
    framed = _Framed(picture, len(rows))
    for row, top in zip(rows, framed.tops(), strict=True):
        area = (_MARGIN, top, _MARGIN + framed.size, top + framed.size)
        framed.drawing.rectangle(area, fill=row.caption.color, outline="black")
        framed.write(row.caption, 3 * _MARGIN + framed.size, top)
    return framed.picture


class _Framed:
    """A picture with room for rows below it."""

    def __init__(self, picture: Image.Image, count: int) -> None:
        self.size = text_size(picture)
        self.height = round(_ROW_HEIGHT * self.size)
        self._first, self._count = picture.height + _MARGIN, count
        self.picture = Image.new("RGB", (picture.width, self._first + self.height * count), "white")
        self.picture.paste(picture, (0, 0))
        self.drawing = ImageDraw.Draw(self.picture, "RGBA")

    def tops(self) -> Iterator[int]:
        """Return the upper edge of each row."""
        return iter(range(self._first, self._first + self.height * self._count, self.height))

    def write(self, caption: Caption, left: float, top: float) -> None:
        """Write a text beside what the row shows."""
        text = caption.fit(self.size, self.picture.width - left - _MARGIN)
        text.draw(self.drawing, left, top + self.size / 2, "black")
