from pathlib import Path

import pytest
from building import only_finding, put_image, put_text

from data_kit import Instance, open_dataset
from vision_contracts import DatasetFormat, TaskType

BOX = "<bndbox><xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>15</ymax></bndbox>"


def put_voc(root: Path, stem: str, objects: str, *, size: str = "") -> None:
    put_image(root / "JPEGImages" / f"{stem}.jpg")
    text = f"<annotation><filename>old name.jpg</filename>{size}{objects}</annotation>"
    put_text(root / "Annotations" / f"{stem}.xml", text)


def labelled(name: str, box: str = BOX) -> str:
    return f"<object><name>{name}</name>{box}</object>"


def test_pixels_count_from_one_and_the_last_is_included(tmp_path: Path) -> None:
    put_voc(tmp_path, "a", labelled("dog") + labelled("cat"))
    put_voc(tmp_path, "b", labelled("dog"))

    dataset = open_dataset(tmp_path)

    assert (dataset.format, dataset.class_names) == (DatasetFormat.VOC, ("cat", "dog"))
    assert dataset.task_types == {TaskType.OBJECT_DETECTION}
    assert Instance(0, (10, 5, 30, 15)) in dataset["train"][0].instances + dataset["val"][0].instances


def test_lists_of_names_are_the_splits(tmp_path: Path) -> None:
    for stem in "abc":
        put_voc(tmp_path, stem, labelled("cat"))
    put_text(tmp_path / "ImageSets/Main/train.txt", "a\nb\n")
    put_text(tmp_path / "ImageSets/Main/val.txt", "c\n")
    put_text(tmp_path / "ImageSets/Main/cat_train.txt", "a  1\nb -1\n")

    dataset = open_dataset(tmp_path)

    assert [sample.image.stem for sample in dataset["train"]] == ["a", "b"]
    assert [sample.image.stem for sample in dataset["val"]] == ["c"]


def test_folders_are_the_splits_where_there_are_no_lists(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        put_image(tmp_path / split / "a.jpg")
        put_text(tmp_path / split / "a.xml", f"<annotation>{labelled('cat')}</annotation>")

    dataset = open_dataset(tmp_path)

    assert [dataset[split][0].image.parent.name for split in ("train", "val")] == ["train", "valid"]


def test_a_listed_name_without_annotation_is_refused_with_its_line(tmp_path: Path) -> None:
    put_voc(tmp_path, "a", labelled("cat"))
    put_text(tmp_path / "ImageSets/Main/train.txt", "a\nnone\n")

    finding = only_finding(tmp_path)

    assert (finding.code, finding.file, finding.line) == ("annotations_missing", "ImageSets/Main/train.txt", 2)


@pytest.mark.parametrize(
    ("objects", "code"),
    [
        ("<object>", "xml_malformed"),
        ("&unknown;", "xml_malformed"),
        ("<object></object>", "label_malformed"),
        (labelled("cat", ""), "label_malformed"),
        (labelled("cat", BOX.replace("11", "x")), "label_malformed"),
        (labelled("cat", BOX.replace("11", "nan")), "label_malformed"),
        (labelled("cat", BOX.replace("11", "39")), "label_malformed"),
        (labelled("cat", BOX.replace("11", "101").replace("30", "130")), "label_outside_image"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path: Path, objects: str, code: str) -> None:
    put_voc(tmp_path, "a", labelled("cat"))
    put_voc(tmp_path, "b", objects)

    finding = only_finding(tmp_path)

    assert (finding.code, finding.file) == (code, "Annotations/b.xml")


def test_xml_with_entities_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>'
    put_voc(tmp_path, "a", labelled("cat"))
    put_image(tmp_path / "JPEGImages" / "b.jpg")
    put_text(tmp_path / "Annotations" / "b.xml", bomb)

    assert only_finding(tmp_path).code == "xml_malformed"


def test_an_annotation_without_image_is_refused(tmp_path: Path) -> None:
    put_voc(tmp_path, "a", labelled("cat"))
    (tmp_path / "JPEGImages" / "a.jpg").rename(tmp_path / "JPEGImages" / "b.jpg")

    assert only_finding(tmp_path).code == "image_missing"


def test_an_image_of_another_size_than_was_labelled_is_refused(tmp_path: Path) -> None:
    put_voc(tmp_path, "a", labelled("cat"), size="<size><width>99</width><height>20</height></size>")
    put_voc(tmp_path, "b", labelled("cat"), size="<size><width>0</width><height>0</height></size>")

    assert only_finding(tmp_path).file == "Annotations/a.xml"
