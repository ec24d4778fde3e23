"""Images: their size from the header alone, and their pixels in the one form that trainers take."""

import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, WebPImagePlugin

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""Decoders that may run on a user's file. JPEG's opens MPO, several pictures in one file, too."""

LATE_DECODERS = (TiffImagePlugin, WebPImagePlugin)
"""Registered by being imported; Pillow registers the others itself."""

_BROKEN = (SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, struct.error, zlib.error)
"""Errors that Pillow's decoders raise for broken content, beside OSError."""

MOST_PIXELS = 50_000_000
"""Limit of an image's pixels, wherever it comes from: at most 200 MB decoded, and as much again in RGB."""
MOST_FILE_BYTES = 512 * 2**20
"""Limit of an image's file: more than `MOST_PIXELS` of the widest kind take uncompressed."""

_BAND_PIXELS = 2_000_000
"""Pixels that are converted at a time: wide copies are of a part of the image, never of all of it."""
_REDUCING_GAP = 3.0
"""A larger reduction starts with one by a whole number: much faster, and invisible."""
_TRANSPOSED = frozenset({5, 6, 7, 8})
DEEP_GRAY = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})


class ImageTooLarge(Image.DecompressionBombError):
    """The image has more pixels, or its file more bytes, than any part of the platform decodes."""


def read_size(path: Path) -> tuple[int, int]:
    """Return width and height of the upright image; reads the header only.

    Raises OSError for a file that is no image, and PIL's DecompressionBombError for one that is too large.
    """
    with _opened(path) as image:
        width, height = image.size
        return (height, width) if _orientation(image) in _TRANSPOSED else (width, height)


def load_image(file: Path | BinaryIO) -> Image.Image:
    """Return the image as 8-bit RGB, upright: the first frame of an animation, transparent areas in white.

    Raises OSError for a file that cannot be decoded completely, and as `read_size` does.
    """
    with _opened(file) as opened:
        orientation = _orientation(opened)
        image = _reduced_to_rgb(opened, 1, 1)
    return _turn_upright(image, orientation)


def load_scaled(file: Path | BinaryIO, longer_side: int) -> tuple[Image.Image, float]:
    """Load the image, as `load_image` does, scaled to `longer_side` pixels along its longer side.

    Returns also the factor to scale its labels by. A large JPEG is decoded at a fraction of its size, so that a
    thumbnail of it costs little.
    """
    with _opened(file) as opened:
        factor = longer_side / max(opened.size)
        size = (max(1, round(opened.width * factor)), max(1, round(opened.height * factor)))
        orientation = _orientation(opened)
        opened.draft(None, size)
        across, down = (max(1, int(opened.size[axis] / size[axis] / _REDUCING_GAP)) for axis in (0, 1))
        whole = (0.0, 0.0, opened.width / across, opened.height / down)
        image = _reduced_to_rgb(opened, across, down).resize(size, Image.Resampling.BICUBIC, whole)
    return _turn_upright(image, orientation), factor


@contextmanager
def _opened(file: Path | BinaryIO) -> Generator[Image.Image]:
    try:
        if isinstance(file, Path) and file.stat().st_size > MOST_FILE_BYTES:
            raise ImageTooLarge(f"its file has more than {MOST_FILE_BYTES >> 20} MiB")
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ImageTooLarge(f"it has {image.width} x {image.height} pixels")
            yield image
    except _BROKEN as error:
        raise OSError(f"broken image: {error}") from error


def is_upright(image: Image.Image) -> bool:
    """Return whether its pixels are stored in the orientation that they are shown in."""
    return _orientation(image) == 1


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":  # Pillow turns these by itself
        return 1
    # The base class' method: PNG's own decodes all pixels to look for EXIF data behind them.
    value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) else 1


def _turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    image.info.clear()
    if orientation == 1:
        return image
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image.info["exif"] = exif.tobytes()
    upright = ImageOps.exif_transpose(image)
    upright.info.clear()
    return upright


def _reduced_to_rgb(image: Image.Image, across: int, down: int) -> Image.Image:
    """Return the image in RGB, reduced by whole numbers, band by band."""
    height = max(1, _BAND_PIXELS // image.width // down) * down
    result = Image.new("RGB", (-(-image.width // across), -(-image.height // down)))
    image.load()
    for top in range(0, image.height, height):
        band = _to_rgb(image.crop((0, top, image.width, min(top + height, image.height))))
        result.paste(band if across == down == 1 else band.reduce((across, down)), (0, top // down))
    return result


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in DEEP_GRAY:
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        return Image.fromarray(np.nan_to_num(np.asarray(image)).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")
