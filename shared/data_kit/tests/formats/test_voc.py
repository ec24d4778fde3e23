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


def put_annotation(path: Path, *, filename: str = "old name.jpg", box: str = BOX) -> None:
    put_text(path, f"<annotation><filename>{filename}</filename>{labelled('cat', box)}</annotation>")


def test_masks_of_pixels_are_not_taken_for_the_image(tmp_path: Path) -> None:
    for stem in "ab":
        put_voc(tmp_path / "VOC2012", stem, labelled("cat"))
        for folder in ("SegmentationClass", "SegmentationObject"):
            put_image(tmp_path / "VOC2012" / folder / f"{stem}.png")

    dataset = open_dataset(tmp_path)

    assert {sample.image.parent.name for split in dataset.splits.values() for sample in split} == {"JPEGImages"}


@pytest.mark.parametrize(
    ("images", "annotations"),
    [
        ("images/{}/1.jpg", "annotations/{}/1.xml"),
        ("{}/JPEGImages/1.jpg", "{}/Annotations/1.xml"),
        ("{}/1.jpg", "Annotations/{}/1.xml"),
        ("{}/1.jpg", "{}/Annotations/1.xml"),
        ("{}/photos/1.jpg", "{}/Annotations/1.xml"),
    ],
)
def test_an_image_is_of_the_folder_of_its_annotation(tmp_path: Path, images: str, annotations: str) -> None:
    for split in ("train", "val"):
        put_image(tmp_path / images.format(split))
        put_annotation(tmp_path / annotations.format(split))

    dataset = open_dataset(tmp_path)

    for split in ("train", "val"):
        assert [sample.image for sample in dataset[split]] == [tmp_path / images.format(split)]


def test_images_beside_other_pictures_of_their_annotations_are_found(tmp_path: Path) -> None:
    """The layout is that of the Oxford pets."""
    for stem in "ab":
        put_image(tmp_path / "images" / f"{stem}.jpg")
        put_image(tmp_path / "annotations" / "trimaps" / f"{stem}.png")
        put_annotation(tmp_path / "annotations" / "xmls" / f"{stem}.xml")

    assert {dataset.image.parent.name for dataset in open_dataset(tmp_path)["train"]} == {"images"}


def test_between_images_that_are_equally_near_the_name_inside_decides_or_nothing(tmp_path: Path) -> None:
    for stem, filename in (("a", "C:\\photos\\a.png"), ("b", "old name.jpg")):
        put_annotation(tmp_path / "Annotations" / f"{stem}.xml", filename=filename)
        for suffix in ("jpg", "png"):
            put_image(tmp_path / "JPEGImages" / f"{stem}.{suffix}")

    finding = only_finding(tmp_path)
    assert (finding.code, finding.file) == ("image_ambiguous", "Annotations/b.xml")

    (tmp_path / "JPEGImages/b.png").unlink()
    dataset = open_dataset(tmp_path)
    assert {sample.image.name for split in dataset.splits.values() for sample in split} == {"a.png", "b.jpg"}


def test_lists_of_detection_come_before_those_of_other_tasks(tmp_path: Path) -> None:
    for stem in "abc":
        put_voc(tmp_path, stem, labelled("cat"))
    for folder, train in (("Layout", "b"), ("Main", "a\nb"), ("Segmentation", "a")):
        put_text(tmp_path / "ImageSets" / folder / "train.txt", train)
        put_text(tmp_path / "ImageSets" / folder / "val.txt", "c")

    assert [sample.image.stem for sample in open_dataset(tmp_path)["train"]] == ["a", "b"]


def test_lists_of_two_folders_are_not_mixed(tmp_path: Path) -> None:
    for stem in "abc":
        put_voc(tmp_path, stem, labelled("cat"))
    put_text(tmp_path / "ImageSets/Layout/train.txt", "a\nb")
    put_text(tmp_path / "ImageSets/Segmentation/train.txt", "a")
    put_text(tmp_path / "ImageSets/Segmentation/test.txt", "a")

    assert sorted(open_dataset(tmp_path).splits) == ["train", "val"]


def test_two_years_in_one_archive_are_joined_each_with_names_of_its_own(tmp_path: Path) -> None:
    for year in ("VOC2007", "VOC2012"):
        for stem in "ab":
            put_voc(tmp_path / year, stem, labelled("cat"))
        put_text(tmp_path / year / "ImageSets/Main/train.txt", "a\n")
        put_text(tmp_path / year / "ImageSets/Main/val.txt", "b\n")

    dataset = open_dataset(tmp_path)

    for split, stem in (("train", "a"), ("val", "b")):
        images = [dataset.name_of(sample) for sample in dataset[split]]
        assert images == [f"VOC2007/JPEGImages/{stem}.jpg", f"VOC2012/JPEGImages/{stem}.jpg"]


def test_a_name_that_only_the_other_year_has_is_refused(tmp_path: Path) -> None:
    put_voc(tmp_path / "VOC2007", "a", labelled("cat"))
    put_voc(tmp_path / "VOC2012", "b", labelled("cat"))
    put_text(tmp_path / "VOC2007" / "ImageSets/Main/train.txt", "a\nb\n")

    finding = only_finding(tmp_path)

    assert (finding.code, finding.line) == ("annotations_missing", 2)
    assert "VOC2007/Annotations/b.xml" in finding.fix


def test_a_listed_name_of_two_annotations_is_refused_unless_one_is_in_its_usual_place(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        put_image(tmp_path / "JPEGImages" / folder / "a.jpg")
        put_annotation(tmp_path / "Annotations" / folder / "a.xml")
    put_voc(tmp_path, "b", labelled("cat"))
    put_annotation(tmp_path / "old" / "b.xml", box="")
    put_text(tmp_path / "ImageSets/Main/train.txt", "b\na\n")

    finding = only_finding(tmp_path)

    assert (finding.code, finding.line) == ("annotations_ambiguous", 2)
    assert "`Annotations/one/a.xml` or `Annotations/two/a.xml`" in finding.message
