"""One complete look at an image file: is it whole, how is it stored, and what does it show."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from data_kit.images import DEEP_GRAY, FORMATS, is_upright, load_image

_GRID = 9
_CONTRAST = 12
"""A picture whose brightness differs less than this (of 255) shows nothing by which it could be known again."""
_STEP = 2
"""A difference in brightness that is more than noise."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of an image: a hundred bytes, so that a data set may have many."""

    size: tuple[int, int]
    """Width and height of the upright image."""
    content: bytes
    """A hash of the file's bytes."""
    shape: bytes
    """128 bits of which copies differ in a few, however they were scaled and compressed; empty if it shows nothing."""
    kind: str
    """How it is stored, where that is unusual: a key of `KINDS`; empty for an ordinary image."""


KINDS = {
    "rotated": "stored turned, and set upright by its EXIF orientation",
    "animated": "of several frames; the first one is used",
    "16bit": "of more than 8 bits a channel; the upper 8 bits are used",
    "float": "of floating-point numbers; 0 to 255 is used, and what lies outside is cut",
    "cmyk": "in CMYK, and converted to RGB",
    "transparent": "partly transparent, and laid on white",
    "palette": "stored with a palette, and converted to RGB",
}


def look_at(path: Path) -> Look:
    """Decodes all of the image, once. Raises as `load_image` does."""
    content = path.read_bytes()
    picture = load_image(io.BytesIO(content))
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return Look(picture.size, digest, _shape(picture), _kind(content))


def _kind(content: bytes) -> str:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        checks = {
            "rotated": not is_upright(image),
            "animated": image.format != "MPO" and getattr(image, "n_frames", 1) > 1,
            "16bit": image.mode in DEEP_GRAY or _is_deep_rgb(image),
            "float": image.mode == "F",
            "cmyk": image.mode == "CMYK",
            "transparent": image.has_transparency_data,
            "palette": image.mode in ("P", "PA") and image.format != "GIF",
        }
    return next((kind for kind, holds in checks.items() if holds), "")


def _is_deep_rgb(image: Image.Image) -> bool:
    """Pillow reduces 16-bit colour itself, and only the name of the stored mode tells."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    return any(";16" in str(tile.args) for tile in tiles)


def _shape(picture: Image.Image) -> bytes:
    """Whether each cell of a small grid is brighter than the next one to the right, and than the next one below.

    The same idea as `imagehash.dhash`, which would bring scipy and PyWavelets with it.
    """
    cells = np.asarray(picture.convert("L").resize((_GRID, _GRID), Image.Resampling.BOX), np.int16)
    if np.ptp(cells) < _CONTRAST:
        return b""
    right, down = cells[:-1, :-1] - cells[:-1, 1:], cells[:-1, :-1] - cells[1:, :-1]
    return np.packbits(np.stack([right, down]) > _STEP).tobytes()
