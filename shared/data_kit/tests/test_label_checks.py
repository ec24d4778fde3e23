"""Warnings of a deep inspection, in every format."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from building import BOX, findings_of, put_text
from PIL import Image

from data_kit import Finding, open_dataset, write_coco, write_voc

SIZE = (64, 48)


def put_picture(path: Path, seed: int, **options: object) -> Path:
    """A picture like no other: a few patches of grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    patches = np.random.default_rng(seed).integers(0, 255, (6, 8), np.uint8)
    Image.fromarray(patches).resize(SIZE, Image.Resampling.NEAREST).convert("RGB").save(path, **options)
    return path


def put_objects(root: Path, train: int = 12, val: int = 3) -> Path:
    """A YOLO data set in which nothing is to be said against."""
    put_text(root / "data.yaml", "train: images/train\nval: images/val\nnames: [cat, dog]\n")
    for index in range(train + val):
        name = f"{'train' if index < train else 'val'}/{index}"
        put_picture(root / f"images/{name}.png", index)
        put_text(root / f"labels/{name}.txt", f"{BOX}\n1 0.2 0.2 0.1 0.1\n")
    return root


def put_folders(root: Path) -> Path:
    """The same as classes of whole images."""
    for index in range(30):
        split = "val" if index % 5 == 4 else "train"
        put_picture(root / split / ("cat" if index % 2 else "dog") / f"{index}.png", index)
    return root


def as_coco(root: Path) -> Path:
    write_coco(open_dataset(put_objects(root.with_name("source"))), root)
    return root


def as_voc(root: Path) -> Path:
    return write_voc(open_dataset(put_objects(root.with_name("source"))), root)


FORMATS: dict[str, Callable[[Path], Path]] = {
    "yolo": put_objects, "coco": as_coco, "voc": as_voc, "imagefolder": put_folders,
}  # fmt: skip


@pytest.fixture(params=list(FORMATS))
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return FORMATS[request.param](tmp_path / "set")


def warnings_of(root: Path) -> list[Finding]:
    return list(open_dataset(root, deep=True).findings)


def image_of(root: Path, split: str, index: int = 0) -> Path:
    return open_dataset(root)[split][index].image


def test_a_good_data_set_has_no_warnings(root: Path) -> None:
    assert warnings_of(root) == []


def test_the_same_file_in_two_splits_is_leakage(root: Path) -> None:
    train, val = image_of(root, "train"), image_of(root, "val")
    shutil.copyfile(train, val)

    (finding,) = [finding for finding in warnings_of(root) if finding.code == "split_leakage"]

    assert finding.severity == "warning"
    names = {path.relative_to(root).as_posix() for path in (train, val)}
    assert {finding.file, finding.message.split("`")[3]} == names


@pytest.mark.parametrize("change", ["smaller", "jpeg", "brighter"])
def test_a_copy_that_was_scaled_or_compressed_is_leakage_too(tmp_path: Path, change: str) -> None:
    root = put_folders(tmp_path)
    with Image.open(image_of(root, "train")) as image:
        match change:
            case "smaller":
                image.resize((40, 30)).save(root / "val/cat/copy.png")
            case "jpeg":
                image.save(root / "val/cat/copy.jpg", quality=40)
            case _:
                image.point(lambda value: min(255, value * 1.1)).save(root / "val/cat/copy.png")

    (finding,) = warnings_of(root)

    assert (finding.code, Path(finding.file).stem) == ("split_leakage_similar", "copy")


def test_pictures_of_one_colour_are_not_taken_for_copies(tmp_path: Path) -> None:
    for index in range(20):
        split, grey = ("val" if index % 5 == 4 else "train"), (index, index, index)
        path = tmp_path / split / ("cat" if index % 2 else "dog") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, grey).save(path)

    assert {finding.code for finding in warnings_of(tmp_path)} == {"class_small"}


def test_a_copy_inside_a_split_is_warned_of(root: Path) -> None:
    first, second = (image_of(root, "train", index) for index in (0, 1))
    shutil.copyfile(first, second)

    found = [finding for finding in warnings_of(root) if finding.code == "image_repeated"]

    assert [(root / finding.file) for finding in found] == [second]


def test_a_copy_of_another_class_is_a_conflict(tmp_path: Path) -> None:
    root = put_folders(tmp_path)
    shutil.copyfile(root / "train/cat/1.png", root / "train/dog/2.png")

    (finding,) = warnings_of(root)

    assert (finding.code, finding.file) == ("label_conflict", "train/dog/2.png")
    assert "train/cat/1.png" in finding.message


def test_a_copy_with_other_objects_is_a_conflict(tmp_path: Path) -> None:
    root = put_objects(tmp_path)
    shutil.copyfile(root / "images/train/0.png", root / "images/train/1.png")
    put_text(root / "labels/train/1.txt", BOX)

    assert [finding.code for finding in warnings_of(root)] == ["label_conflict"]


def test_one_folder_for_both_splits_is_leakage(tmp_path: Path) -> None:
    put_text(put_objects(tmp_path) / "data.yaml", "train: images/train\nval: images/train\nnames: [cat, dog]\n")

    found = [finding for finding in warnings_of(tmp_path) if finding.code == "split_leakage"]

    assert len(found) == 12
    assert "the same file" in found[0].message


def test_an_image_without_label_file_is_warned_of(tmp_path: Path) -> None:
    (put_objects(tmp_path) / "labels/train/3.txt").unlink()

    (finding,) = warnings_of(tmp_path)

    assert (finding.code, finding.file) == ("image_without_label", "images/train/3.png")
    assert "labels/train/3.txt" in finding.message


@pytest.mark.parametrize("put", [put_objects, as_coco, as_voc])
def test_an_image_that_no_label_names_is_warned_of(tmp_path: Path, put: Callable[[Path], Path]) -> None:
    root = put(tmp_path / "set")
    put_picture(root / "more" / "extra.png", 99)

    (finding,) = warnings_of(root)

    assert (finding.code, finding.file) == ("image_unused", "more/extra.png")


def test_a_label_without_image_is_warned_of(tmp_path: Path) -> None:
    (put_objects(tmp_path) / "images/train/3.png").unlink()

    (finding,) = warnings_of(tmp_path)

    assert (finding.code, finding.file) == ("label_without_image", "labels/train/3.txt")


def test_small_and_unseen_classes_are_warned_of(tmp_path: Path) -> None:
    root = put_objects(tmp_path)
    put_text(root / "data.yaml", "train: images/train\nval: images/val\nnames: [cat, dog, bird]\n")
    for index in range(9):
        put_text(root / f"labels/train/{index}.txt", BOX)

    messages = {finding.code: finding.message for finding in warnings_of(root)}

    assert messages.keys() == {"class_small", "class_without_images"}
    assert "dog (3)" in messages["class_small"]
    assert "bird" in messages["class_without_images"]


@pytest.mark.parametrize(
    ("kind", "suffix", "save"),
    [
        ("rotated", ".jpg", lambda image, path: image.save(path, exif=turned())),
        ("16bit", ".png", lambda image, path: deep(image).save(path)),
        ("16bit", ".tif", lambda image, path: deep(image).save(path)),
        ("cmyk", ".jpg", lambda image, path: image.convert("CMYK").save(path)),
        ("transparent", ".png", lambda image, path: image.convert("RGBA").save(path)),
        ("palette", ".png", lambda image, path: image.quantize(16).save(path)),
        ("animated", ".gif", lambda image, path: image.save(path, save_all=True, append_images=[image.rotate(180)])),
    ],
)
def test_unusual_pixels_are_warned_of_once_for_each_kind(
    tmp_path: Path, kind: str, suffix: str, save: Callable[[Image.Image, Path], None]
) -> None:
    root = put_folders(tmp_path)
    for index in (1, 3):
        with Image.open(put_picture(root / "extra.png", 50 + index)) as image:
            save(image, root / f"train/cat/odd{index}{suffix}")
    (root / "extra.png").unlink()

    (finding,) = warnings_of(root)

    assert (finding.code, finding.file) == (f"image_{kind}", f"train/cat/odd1{suffix}")
    assert "and 1 more are" in finding.message


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def deep(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


def test_warnings_are_reported_together_with_errors(tmp_path: Path) -> None:
    root = put_objects(tmp_path)
    shutil.copyfile(root / "images/train/0.png", root / "images/val/12.png")
    put_text(root / "labels/train/1.txt", "7 0.5 0.5 0.1 0.1")
    (root / "images/train/2.png").write_bytes(b"no image")

    assert {finding.code for finding in findings_of(root, deep=True)} == {
        "split_leakage", "class_unknown", "image_unreadable",
    }  # fmt: skip
