from pathlib import Path

import pytest
from building import put_image
from PIL import Image

from data_kit.images import load_image
from data_kit.writers.image_files import place_image


def test_a_plain_image_is_linked_and_keeps_its_name(tmp_path: Path) -> None:
    image = put_image(tmp_path / "in" / "a.JPG")

    placed = place_image(image, put_folder(tmp_path), 7)

    assert placed.name == "000007-a.jpg"
    assert placed.samefile(image)


def test_a_name_of_the_greatest_length_is_cut(tmp_path: Path) -> None:
    image = put_image(tmp_path / "in" / f"{'가' * 83}aa.png")

    assert place_image(image, put_folder(tmp_path), 7).name == f"000007-{'가' * 64}.png"


def test_a_jpeg_without_its_end_is_copied_since_readers_mend_it_in_place(tmp_path: Path) -> None:
    image = put_image(tmp_path / "in" / "a.jpg")
    image.write_bytes(image.read_bytes()[:-2])

    placed = place_image(image, put_folder(tmp_path), 0)

    assert not placed.samefile(image)
    assert placed.read_bytes() == image.read_bytes()


@pytest.mark.parametrize(("mode", "suffix"), [("RGBA", ".png"), ("I;16", ".png"), ("P", ".gif"), ("CMYK", ".jpg")])
def test_other_images_become_what_load_image_sees(tmp_path: Path, mode: str, suffix: str) -> None:
    image = tmp_path / f"a{suffix}"
    Image.new(mode, (4, 3)).save(image)

    placed = place_image(image, put_folder(tmp_path), 0)

    assert placed.suffix == ".png"
    with Image.open(placed) as written:
        assert written.mode == "RGB"
        assert written.tobytes() == load_image(image).tobytes()


def test_a_turned_photograph_is_written_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    placed = place_image(put_image(tmp_path / "a.jpg", (40, 20), exif=exif), put_folder(tmp_path), 0)

    with Image.open(placed) as written:
        assert written.size == (20, 40)


def put_folder(parent: Path) -> Path:
    (parent / "out").mkdir()
    return parent / "out"
