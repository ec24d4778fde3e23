from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from building import put_image
from PIL import Image

from data_kit import images
from data_kit.images import load_image, load_scaled, read_size


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_turns_size_and_pixels_alike(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = put_image(tmp_path / f"a{suffix}", (40, 20), exif=exif)

    assert read_size(path) == ((20, 40) if orientation >= 5 else (40, 20))
    assert load_image(path).size == read_size(path)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("I;16", 0x80FF, (128, 128, 128)),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str, color: object, expected: object) -> None:
    path = tmp_path / "a.png"
    Image.new(mode, (3, 2), color).save(path)

    image = load_image(path)

    assert image.mode == "RGB"
    assert image.getpixel((2, 1)) == expected


def test_floats_and_cmyk_become_rgb(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.0, 300.0], [np.nan, 7.9]], np.float32)).save(tmp_path / "a.tif")
    Image.new("CMYK", (2, 2), (0, 0, 0, 0)).save(tmp_path / "b.jpg")

    assert np.asarray(load_image(tmp_path / "a.tif"))[..., 0].tolist() == [[0, 255], [0, 7]]
    assert load_image(tmp_path / "b.jpg").getpixel((0, 0)) == (255, 255, 255)


def test_a_palette_with_transparency_becomes_white_there(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)

    assert [load_image(tmp_path / "a.png").getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 255, 0)]


def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])

    assert load_image(tmp_path / "a.gif").getpixel((0, 0)) == (254, 0, 0) or (255, 0, 0)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_image_is_an_os_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)

    with pytest.raises(OSError):  # noqa: PT011 - any
        read_size(path)
    with pytest.raises(OSError):  # noqa: PT011 - any
        load_image(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif", ".gif"])
def test_an_image_that_is_cut_off_anywhere_is_an_os_error(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 50, 3), np.uint8)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    for length in range(0, len(content) * 3 // 4, max(1, len(content) // 37)):
        path.write_bytes(content[:length])
        with pytest.raises(OSError):  # noqa: PT011 - any
            load_image(path)


@pytest.mark.parametrize("load", [read_size, load_image, lambda path: load_scaled(path, 64)])
def test_an_image_of_too_many_pixels_or_bytes_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Callable[[Path], object]
) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (20, 10)).save(path)
    load(path)
    monkeypatch.setattr(images, "MOST_PIXELS", 199)
    with pytest.raises(images.ImageTooLarge, match="20 x 10"):
        load(path)
    monkeypatch.undo()
    monkeypatch.setattr(images, "MOST_FILE_BYTES", path.stat().st_size - 1)
    with pytest.raises(images.ImageTooLarge, match="its file"):
        load(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("size", [(61, 47), (47, 610)])
def test_an_image_converted_in_bands_is_that_converted_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, size: tuple[int, int]
) -> None:
    noise = Image.effect_noise(size, 90)
    path = tmp_path / ("a.png" if mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "a.tif")
    noise.convert("L" if mode in ("I;16", "I", "F") else mode if mode != "CMYK" else "RGB").convert(mode).save(path)
    whole, (scaled, factor) = load_image(path), load_scaled(path, 13)
    monkeypatch.setattr(images, "_BAND_PIXELS", 150)

    assert load_image(path).tobytes() == whole.tobytes()
    assert whole.size == size
    again, same_factor = load_scaled(path, 13)
    assert (again.tobytes(), same_factor) == (scaled.tobytes(), factor)
    expected = whole.resize(scaled.size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    assert scaled.tobytes() == expected.tobytes()
