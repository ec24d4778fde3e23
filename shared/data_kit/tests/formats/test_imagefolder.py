from pathlib import Path

from building import findings_of, only_finding, put_classes, put_image, put_text

from data_kit import open_dataset
from vision_contracts import TaskType


def test_folders_are_classes_in_alphabetical_order(tmp_path: Path) -> None:
    dataset = open_dataset(put_classes(tmp_path, {"train/dog": 2, "train/cat": 1, "val/cat": 1, "test/dog": 1}))

    assert dataset.class_names == ("cat", "dog")
    assert dataset.task_types == {TaskType.IMAGE_CLASSIFICATION}
    assert [sample.class_id for sample in dataset["train"]] == [0, 1, 1]
    assert [(sample.width, sample.height) for sample in dataset["test"]] == [(40, 20)]


def test_images_in_deeper_folders_belong_to_the_class(tmp_path: Path) -> None:
    dataset = open_dataset(put_classes(tmp_path, {"train/cat/2020/may": 2, "train/dog": 2}))

    assert sum(sample.class_id == 0 for split in ("train", "val") for sample in dataset[split]) == 2


def test_a_val_class_that_train_does_not_have_is_refused(tmp_path: Path) -> None:
    finding = only_finding(put_classes(tmp_path, {"train/cat": 2, "train/dog": 2, "val/cow": 1}))

    assert (finding.code, finding.file) == ("class_unknown", "val/cow")


def test_one_class_is_too_few(tmp_path: Path) -> None:
    assert only_finding(put_classes(tmp_path, {"train/cat": 5, "val/cat": 1})).code == "too_few_classes"


def test_an_image_outside_a_class_is_named(tmp_path: Path) -> None:
    put_image(put_classes(tmp_path, {"train/cat": 2, "train/dog": 2}) / "train" / "stray.png")

    assert only_finding(tmp_path).file == "train/stray.png"


def test_images_without_any_folder_are_refused(tmp_path: Path) -> None:
    for name in "ab":
        put_image(tmp_path / f"{name}.png")

    assert {finding.code for finding in findings_of(tmp_path)} == {"image_without_class"}


def test_a_text_file_with_an_images_name_is_named(tmp_path: Path) -> None:
    put_text(put_classes(tmp_path, {"cat": 2, "dog": 2}) / "cat" / "fake.jpg", "hello")

    finding = only_finding(tmp_path)

    assert (finding.code, finding.file) == ("image_unreadable", "cat/fake.jpg")


def test_notes_and_hidden_files_are_no_images(tmp_path: Path) -> None:
    put_classes(tmp_path, {"cat": 2, "dog": 2, ".cache": 3, "dog/.thumbs": 1})
    put_text(tmp_path / "README.md", "hello")

    assert sum(map(len, open_dataset(tmp_path).splits.values())) == 4


def test_a_class_folder_of_unknown_images_is_mentioned(tmp_path: Path) -> None:
    put_text(put_classes(tmp_path, {"train/cat": 2, "train/dog": 2}) / "train" / "cow" / "1.heic", "")

    dataset = open_dataset(tmp_path)

    assert dataset.class_names == ("cat", "dog")
    assert [finding.file for finding in dataset.findings] == ["train/cow"]
