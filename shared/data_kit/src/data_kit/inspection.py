"""Complete inspection of an image file: that it decodes, its content's hashes, and unusual ways of storing it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from data_kit.images import DEEP_GRAY, FORMATS, is_upright, load_image

_GRID = 9
_CONTRAST = 12
"""An image whose brightness differs less than this (of 255) has nothing to recognize it by."""
_STEP = 2
"""A difference in brightness that is more than noise."""


@dataclass(frozen=True, slots=True)
class ImageInspection:
    """The result of an inspection: a hundred bytes for each image, so that a data set may have many."""

    size: tuple[int, int]
    """Width and height of the upright image."""
    content: bytes
    """A hash of the file's bytes."""
    perceptual_hash: bytes
    """128 bits of which scaled or recompressed copies differ in a few; empty for an image without contrast."""
    kind: str
    """A key of `KINDS` for an unusual way of storing it; empty for an ordinary image."""


KINDS = {
    "rotated": "stored turned, and set upright by its EXIF orientation",
    "animated": "of several frames; the first one is used",
    "16bit": "of more than 8 bits a channel; the upper 8 bits are used",
    "float": "of floating-point numbers; 0 to 255 is used, and what lies outside is cut",
    "cmyk": "in CMYK, and converted to RGB",
    "transparent": "partly transparent, and laid on white",
    "palette": "stored with a palette, and converted to RGB",
}


def inspect_image(path: Path) -> ImageInspection:
    """Decode all of the image, once. Raises OSError as `load_image` does."""
    picture = load_image(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()  # type: ignore[arg-type]
    return ImageInspection(picture.size, digest, _perceptual_hash(picture), _kind(path))


def _kind(path: Path) -> str:
    with Image.open(path, formats=FORMATS) as image:
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
    """Return whether 16-bit colour was stored: Pillow reduces it itself, and only the raw mode's name shows it."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    return any(";16" in str(tile.args) for tile in tiles)


def _perceptual_hash(picture: Image.Image) -> bytes:
    """Return a difference hash: a bit for each cell of a small grid that is brighter than its neighbour.

    Neighbours are to the right and below. The same idea as `imagehash.dhash`, which needs scipy and PyWavelets.
    """
    cells = np.asarray(picture.convert("L").resize((_GRID, _GRID), Image.Resampling.BOX), np.int16)
    if np.ptp(cells) < _CONTRAST:
        return b""
    right, down = cells[:-1, :-1] - cells[:-1, 1:], cells[:-1, :-1] - cells[1:, :-1]
    return np.packbits(np.stack([right, down]) > _STEP).tobytes()
