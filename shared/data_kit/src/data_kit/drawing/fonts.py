"""Fonts for names in any script, of those that the system has. None ships with the code; images install some."""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FOLDERS = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts",
    "/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts",
)  # fmt: skip
PREFERRED = (
    "NanumGothic.ttf", "NotoSansCJK-Regular.ttc", "AppleSDGothicNeo.ttc", "malgun.ttf", "DejaVuSans.ttf",
    "DroidSansFallbackFull.ttf",
)  # fmt: skip
"""Files to try before all others. The last resort is Pillow's built-in font, which has Latin letters."""

_SUFFIXES = {".otf", ".ttc", ".ttf"}
_STYLES = ("black", "bold", "condensed", "italic", "light", "medium", "mono", "oblique", "serif", "thin")
_NO_LETTERS = "lastresort"
"""Apple's font of placeholders, which claims to have every character."""
_BUILT_IN = "(built in)"
_MISSING = "\U0010ffff"
"""A code point that is no character: every font renders it as it renders characters that it lacks."""


@dataclass(frozen=True)
class FittedText:
    """A text in parts, each with a font that has its characters."""

    parts: Sequence[tuple[str, Font]]
    size: int

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(text for text, _ in self.parts)

    @property
    def width(self) -> float:
        """Width in pixels."""
        return sum(font.getlength(text) for text, font in self.parts)

    def draw(self, drawing: ImageDraw.ImageDraw, left: float, middle: float, fill: str) -> None:
        """Write it to the right of `left`, with capitals centred at the height `middle`."""
        baseline = middle + 0.36 * self.size  # half of a capital's height, which is about the same in all fonts
        for text, font in self.parts:
            drawing.text((left, baseline), text, fill=fill, font=font, anchor="ls")
            left += font.getlength(text)


def fit_text(text: str, size: int, *, fallback: str, tail: str = "", width: float = float("inf")) -> FittedText:
    """Return `text` and `tail` in fonts that have their characters, cut before `tail` to `width` pixels.

    `fallback`, which is in ASCII, takes the place of a text with a character that no font has.
    """
    text = _drawable(text)
    if not text or not all(map(_file_with, text)):
        text = fallback
    ellipsis = "…" if _file_with("…") else ""
    fitted = _fit([text, tail], size)
    while fitted.width > width and len(text) > 1:
        text = text[:-1].rstrip()
        fitted = _fit([text + ellipsis, tail], size)
    return fitted


def font_files(texts: Iterable[str]) -> list[Path]:
    """Return the files of all fonts that these texts are drawn in."""
    names = dict.fromkeys(name for text in texts for name, _ in _parts(_drawable(text)))
    return [Path(name) for name in names if name != _BUILT_IN]


def _drawable(text: str) -> str:
    """Return one line of composed characters, without those that only control the layout."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(each for each in composed if each.isprintable() and not "\ufe00" <= each <= "\ufe0f")


def _fit(texts: Iterable[str], size: int) -> FittedText:
    """Fit texts that follow each other from left to right, whatever the direction of their letters."""
    named = [part for text in texts for part in _parts(text)]
    return FittedText([(part, _load(name, size) or ImageFont.load_default(size)) for name, part in named], size)


def _parts(text: str) -> list[tuple[str, str]]:
    """Split a text into parts with the file of their font: the whole in one if any font has all of its characters."""
    for name in _files():
        if all(_has_glyph(name, character) for character in text):
            return [(name, text)]
    parts: list[tuple[str, str]] = []
    for character in text:
        if parts and _has_glyph(parts[-1][0], character):
            parts[-1] = (parts[-1][0], parts[-1][1] + character)
        else:
            parts.append((_file_with(character) or _BUILT_IN, character))
    return parts


@lru_cache(maxsize=65536)
def _file_with(character: str) -> str | None:
    """Return the first file with a glyph for it."""
    return next((name for name in _files() if _has_glyph(name, character)), None)


@cache
def _files() -> tuple[str, ...]:
    """Return all font files, preferred ones first and bold and slanted ones last; the last is the built-in font."""
    found = (path for folder in FOLDERS for path in Path(os.path.expanduser(folder)).rglob("*"))
    fonts = {path for path in found if path.suffix.lower() in _SUFFIXES and _NO_LETTERS not in path.name.lower()}
    return (*map(str, sorted(fonts, key=_rank)), _BUILT_IN)


def _rank(path: Path) -> tuple[int, bool, str]:
    preferred = PREFERRED.index(path.name) if path.name in PREFERRED else len(PREFERRED)
    return preferred, any(style in path.name.lower() for style in _STYLES), path.name


@lru_cache(maxsize=512)
def _load(name: str, size: int, *, shapes_letters: bool = True) -> Font | None:
    """Load a font; None if it is broken or has bitmaps of other sizes only."""
    if name == _BUILT_IN:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(name, size, layout_engine=None if shapes_letters else ImageFont.Layout.BASIC)
    except OSError:
        return None


@lru_cache(maxsize=65536)
def _has_glyph(name: str, character: str) -> bool:
    return character.isspace() or _render(name, character) not in (None, _placeholder(name))


@cache
def _placeholder(name: str) -> bytes | None:
    return _render(name, _MISSING)


def _render(name: str, character: str) -> bytes | None:
    """Render one character by itself: shaped, a mark would stand on a circle that hides its absence."""
    font = _load(name, 16, shapes_letters=False)
    if font is None:
        return None
    picture = Image.new("L", (48, 48))
    ImageDraw.Draw(picture).text((12, 12), character, fill=255, font=font)
    return picture.tobytes()
