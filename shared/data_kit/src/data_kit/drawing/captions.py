"""Captions: the name of a class, in its colour."""

from dataclasses import dataclass

from PIL import Image

from data_kit.drawing.fonts import FittedText, fit_text
from data_kit.drawing.palette import Color, color_of


@dataclass(frozen=True, slots=True)
class Caption:
    """The name of a class, and a number such as a score; a name that no font can draw gives way to the class' own."""

    class_id: int
    name: str
    number: str = ""

    @property
    def color(self) -> Color:
        """Colour of the class."""
        return color_of(self.class_id)

    def fit(self, size: int, width: float) -> FittedText:
        """Return the text in letters of `size` pixels, the name cut so that it has `width` pixels."""
        tail = f" {self.number}" if self.number else ""
        return fit_text(self.name, size, fallback=f"#{self.class_id}", tail=tail, width=width)


def text_size(picture: Image.Image) -> int:
    """Return the height of letters that suits a picture."""
    return min(max(11, round(max(picture.size) / 45)), 28)
