"""Image files of a written data set: linked if that is safe, so that nothing is stored twice."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from data_kit.dataset import Sample
from data_kit.images import FORMATS, is_upright, load_image

_MAX_STEM_BYTES = 200
"""A disk holds names of 255 bytes: here a number stands before the image's own, and a suffix follows."""
_PLAIN_MODES = frozenset({"L", "RGB"})
_PLAIN_FORMATS = frozenset({"BMP", "JPEG", "PNG"})


def place_images(samples: Sequence[Sample], folder: Path) -> list[Path]:
    """Put the samples' images into `folder` in their order, under unique names.

    Plain 8-bit images are linked. Others are written as upright RGB PNG, so that every reader sees the same pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [place_image(sample.image, folder, index) for index, sample in enumerate(samples)]


def place_image(image: Path, folder: Path, index: int) -> Path:
    """Put one image into `folder`, as `place_images` does. Returns its path."""
    stem = f"{index:06d}-{image.stem}".encode()[:_MAX_STEM_BYTES].decode(errors="ignore")
    if not _is_plain(image):
        target = folder / f"{stem}.png"
        load_image(image).save(target)
        return target
    target = folder / f"{stem}{image.suffix.lower()}"
    if _is_complete(image):
        _link(image, target)
    else:
        shutil.copyfile(image, target)
    return target


def _is_plain(path: Path) -> bool:
    with Image.open(path, formats=FORMATS) as image:
        return (
            image.format in _PLAIN_FORMATS
            and image.mode in _PLAIN_MODES
            and is_upright(image)
            and not image.has_transparency_data
        )


def _is_complete(path: Path) -> bool:
    """Return whether a JPEG has its end mark: Ultralytics rewrites one without it in place, even through a link."""
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        return True
    with path.open("rb") as file:
        file.seek(-2, os.SEEK_END)
        return file.read() == b"\xff\xd9"


def _link(image: Path, target: Path) -> None:
    try:
        os.link(image, target)
    except OSError:  # another file system, or not our file
        target.symlink_to(image)
