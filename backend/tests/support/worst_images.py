"""The largest images that are accepted, one of each mode and way of storing it: small files, much memory."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial

from PIL import Image

from data_kit.images import MOST_PIXELS

SIDE = int(MOST_PIXELS**0.5)
Make = Callable[[], bytes]


def _saved(mode: str, kind: str, /, **options: object) -> bytes:
    content = io.BytesIO()
    Image.new(mode, (SIDE, SIDE)).save(content, kind, **options)
    return content.getvalue()


def png(color_type: int, depth: int, channels: int, side: int = SIDE, *, is_interlaced: bool = False) -> bytes:
    """Return a PNG that Pillow itself does not write, with all pixels zero."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    packer = zlib.compressobj(1)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    pixels = b""
    for left, top, across, down in passes if is_interlaced else [(0, 0, 1, 1)]:
        width, height = -(-(side - left) // across), -(-(side - top) // down)
        row = bytes(1 + (width * depth * channels + 7) // 8)
        pixels += b"".join(packer.compress(row) for _ in range(height))
    header = struct.pack(">IIBBBBB", side, side, depth, color_type, 0, 0, is_interlaced)
    ends = chunk(b"IDAT", pixels + packer.flush()) + chunk(b"IEND", b"")
    palette = chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(256)) if color_type == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + ends


WORST: dict[str, tuple[str, Make]] = {
    "bits": ("png", partial(png, 0, 1, 1)),
    "gray": ("png", partial(png, 0, 8, 1)),
    "gray with alpha": ("png", partial(png, 4, 8, 2)),
    "palette with transparency": ("png", partial(png, 3, 8, 1)),
    "RGB": ("png", partial(png, 2, 8, 3)),
    "RGBA": ("png", partial(png, 6, 8, 4)),
    "16-bit gray": ("png", partial(png, 0, 16, 1)),
    "16-bit gray with alpha": ("png", partial(png, 4, 16, 2)),
    "16-bit RGB": ("png", partial(png, 2, 16, 3)),
    "16-bit RGBA, interlaced": ("png", partial(png, 6, 16, 4, is_interlaced=True)),
    "JPEG gray": ("jpg", partial(_saved, "L", "JPEG")),
    "JPEG RGB": ("jpg", partial(_saved, "RGB", "JPEG", subsampling=0)),
    "JPEG progressive": ("jpg", partial(_saved, "RGB", "JPEG", progressive=True, subsampling=0)),
    "JPEG CMYK": ("jpg", partial(_saved, "CMYK", "JPEG")),
    "JPEG CMYK progressive": ("jpg", partial(_saved, "CMYK", "JPEG", progressive=True)),
    "TIFF float": ("tif", partial(_saved, "F", "TIFF", compression="tiff_deflate")),
    "TIFF 32-bit": ("tif", partial(_saved, "I", "TIFF", compression="tiff_deflate")),
    "TIFF 16-bit": ("tif", partial(_saved, "I;16", "TIFF", compression="tiff_deflate")),
    "TIFF CMYK": ("tif", partial(_saved, "CMYK", "TIFF", compression="tiff_lzw")),
    "TIFF LAB": ("tif", partial(_saved, "LAB", "TIFF", compression="tiff_deflate")),
    "WebP": ("webp", partial(_saved, "RGB", "WEBP", lossless=True, quality=0, method=0)),
    "WebP with alpha": ("webp", partial(_saved, "RGBA", "WEBP", lossless=True, quality=0, method=0)),
    "BMP": ("bmp", partial(_saved, "P", "BMP")),
    "GIF": ("gif", partial(_saved, "P", "GIF", transparency=0)),
}
"""Suffix and maker of each file."""
