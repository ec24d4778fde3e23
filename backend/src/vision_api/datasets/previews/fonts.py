"""Fonts for names in any script. None is kept here: the image brings one with Korean letters, a computer its own."""

from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FONTS = ("NanumGothic.ttf", "NotoSansCJK-Regular.ttc", "AppleSDGothicNeo.ttc", "malgun.ttf", "DejaVuSans.ttf")
"""Looked for where the system keeps fonts. After them comes the one that Pillow has within it, with Latin letters."""

_MISSING = "\U0010ffff"
"""No character, so that every font shows what it shows for those that it has not."""


@dataclass(frozen=True)
class FittedText:
    """A text as it can be drawn."""

    text: str
    font: Font


def fit_text(text: str, size: int, *, otherwise: str) -> FittedText:
    """`text` in the first font that has all of its characters. Where none has, `otherwise`, which is in ASCII: rows of
    empty boxes would tell nobody anything.
    """
    for name in (*FONTS, ""):
        font = _load(name, size)
        if font is not None and all(_has(name, character) for character in text):
            return FittedText(text, font)
    return FittedText(otherwise, ImageFont.load_default(size))


def shortened(fitted_text: FittedText, width: float) -> FittedText:
    """Cut to `width` pixels."""
    text = fitted_text.text
    while len(text) > 1 and fitted_text.font.getlength(text) > width:
        text = text[:-2] + "…" if fitted_text.text.isascii() else text[:-1]
    return FittedText(text, fitted_text.font)


@lru_cache(maxsize=64)
def _load(name: str, size: int) -> Font | None:
    if not name:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@lru_cache(maxsize=8192)
def _has(name: str, character: str) -> bool:
    font = _load(name, 16)
    return character.isspace() or (font is not None and _shape(font, character) != _shape(font, _MISSING))


def _shape(font: Font, character: str) -> bytes:
    picture = Image.new("L", (48, 48))
    ImageDraw.Draw(picture).text((12, 12), character, fill=255, font=font)
    return picture.tobytes()
