"""Fonts for names in any script. None ships with the code: the container image has one with Korean letters."""

from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FONTS = ("NanumGothic.ttf", "NotoSansCJK-Regular.ttc", "AppleSDGothicNeo.ttc", "malgun.ttf", "DejaVuSans.ttf")
"""Names of system fonts, in order of preference. The last resort is Pillow's built-in font, with Latin letters."""

_MISSING = "\U0010ffff"
"""A code point that is no character: every font renders it as it renders characters that it lacks."""


@dataclass(frozen=True)
class FittedText:
    """A text, and a font that has its characters."""

    text: str
    font: Font


def fit_text(text: str, size: int, *, fallback: str) -> FittedText:
    """Return `text` in the first font that has all of its characters, or else `fallback`, which is in ASCII."""
    for name in (*FONTS, ""):
        font = _load(name, size)
        if font is not None and all(_has_glyph(name, character) for character in text):
            return FittedText(text, font)
    return FittedText(fallback, ImageFont.load_default(size))


def shorten(fitted_text: FittedText, width: float) -> FittedText:
    """Cut a text to `width` pixels."""
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
def _has_glyph(name: str, character: str) -> bool:
    font = _load(name, 16)
    return character.isspace() or (font is not None and _render(font, character) != _render(font, _MISSING))


def _render(font: Font, character: str) -> bytes:
    picture = Image.new("L", (48, 48))
    ImageDraw.Draw(picture).text((12, 12), character, fill=255, font=font)
    return picture.tobytes()
