"""Splits that are stored with a data set."""

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pytest
from building import BOX, only_finding, put_classes, put_coco, put_image, put_text, put_yolo

from data_kit import (
    Sample,
    Split,
    SplitOptions,
    assign_splits,
    dataset_digest,
    open_dataset,
    write_split_file,
    write_voc,
)


def stored(root: Path, options: SplitOptions) -> dict[str, int]:
    """Sizes of the splits once they are written down and read again."""
    dataset = open_dataset(root)
    write_split_file(dataset, assign_splits(dataset.own_splits, options))
    return {split.value: len(samples) for split, samples in open_dataset(root, seed=99).splits.items()}


def test_fractions_are_of_all_images_and_of_every_class_alike(tmp_path: Path) -> None:
    root = put_classes(tmp_path, {"cat": 20, "dog": 40})

    assert stored(root, SplitOptions(val_fraction=0.3, test_fraction=0.2)) == {"train": 30, "val": 18, "test": 12}
    for split, cats in (("train", 10), ("val", 6), ("test", 4)):
        assert sum(sample.class_id == 0 for sample in open_dataset(root)[split]) == cats


def test_what_is_stored_no_longer_depends_on_the_seed_of_the_reader(tmp_path: Path) -> None:
    stored(put_classes(tmp_path, {"cat": 20, "dog": 20}), SplitOptions(seed=3))

    first, second = (open_dataset(tmp_path, seed=seed) for seed in (1, 2))

    assert first.splits == second.splits
    assert not first.is_val_split_off


def test_another_seed_is_another_split_and_another_digest(tmp_path: Path) -> None:
    digests: set[str] = set()
    for seed in (1, 2):
        stored(put_classes(tmp_path / str(seed), {"cat": 20, "dog": 20}), SplitOptions(seed=seed))
        digests.add(dataset_digest(open_dataset(tmp_path / str(seed))))

    assert len(digests) == 2


def test_a_val_of_its_own_stays_and_test_comes_out_of_train(tmp_path: Path) -> None:
    root = put_classes(tmp_path, {"train/a": 10, "train/b": 10, "val/a": 3, "val/b": 3})

    assert stored(root, SplitOptions(val_fraction=0.5, test_fraction=0.2)) == {"train": 16, "val": 6, "test": 4}


def test_splitting_anew_takes_all_images(tmp_path: Path) -> None:
    root = put_classes(tmp_path, {"train/a": 10, "train/b": 10, "val/a": 10, "test/b": 10})

    assert stored(root, SplitOptions(val_fraction=0.25, is_whole=True)) == {"train": 30, "val": 10}


def put_copies(root: Path, kinds: dict[str, list[int]]) -> Path:
    """Put images, of each class as many copies of each as `kinds` says."""
    for shade, (name, copies) in enumerate(kinds.items()):
        for one, count in enumerate(copies):
            for copy in range(count):
                put_image(root / name / f"{copy:02d}-{one:02d}.png", color=(shade * 50, one, 0))
    return root


def pictures(samples: Sequence[Sample]) -> set[bytes]:
    return {sample.image.read_bytes() for sample in samples}


@pytest.mark.parametrize("options", [None, SplitOptions(0.3, 0.2), SplitOptions(0.25, seed=5)])
def test_copies_of_a_picture_are_for_the_same(tmp_path: Path, options: SplitOptions | None) -> None:
    root = put_copies(tmp_path, {"cat": [1] * 20 + [3] * 10 + [7], "dog": [2] * 30})
    if options is not None:
        stored(root, options)

    splits = open_dataset(root).splits

    for one, other in combinations(splits.values(), 2):
        assert not pictures(one) & pictures(other)
    fractions = {Split.VAL: 0.2 if options is None else options.val_fraction or 0.0}
    fractions |= {Split.TEST: options.test_fraction} if options is not None and options.test_fraction else {}
    for split, fraction in fractions.items():
        for class_id, total in ((0, 57), (1, 60)):
            count = sum(sample.class_id == class_id for sample in splits[split])
            assert fraction * total - 3 <= count <= fraction * total + 1
    assert open_dataset(root).splits == splits


def test_too_many_copies_for_a_small_split_leave_it_to_others(tmp_path: Path) -> None:
    dataset = open_dataset(put_copies(tmp_path, {"cat": [9, 1], "dog": [5, 5]}))

    assert [sample.class_id for sample in dataset["val"]] == [0, 1, 1, 1, 1, 1]


def test_a_class_of_copies_alone_is_in_every_split(tmp_path: Path) -> None:
    dataset = open_dataset(put_copies(tmp_path, {"cat": [10], "dog": [10]}))

    assert [sample.class_id for sample in dataset["val"]] == [0, 0, 1, 1]


def test_a_picture_of_two_classes_measures_nothing(tmp_path: Path) -> None:
    root = put_copies(tmp_path, {"cat": [1] * 10, "dog": [1] * 10})
    for name in ("cat", "dog"):
        for index in range(5):
            put_image(root / name / f"same{index}.png", color=(200, 200, 200))

    dataset = open_dataset(root)

    assert len(dataset["val"]) == 6
    assert not pictures(dataset["val"]) & pictures(dataset["train"])


def test_without_copies_the_seed_alone_decides(tmp_path: Path) -> None:
    """Versions that are stored without splits were split like this, and are again."""
    dataset = open_dataset(put_copies(tmp_path, {"cat": [1] * 10, "dog": [1] * 10}), seed=3)

    assert [dataset.name_of(sample) for sample in dataset["val"]] == [
        "cat/00-04.png", "cat/00-05.png", "dog/00-04.png", "dog/00-07.png",
    ]  # fmt: skip


@pytest.mark.parametrize("options", [SplitOptions(val_fraction=0.0), SplitOptions(test_fraction=0.5)])
def test_a_split_without_images_is_refused(tmp_path: Path, options: SplitOptions) -> None:
    with pytest.raises(ValueError, match="would have no images"):
        stored(put_classes(tmp_path, {"cat": 1, "dog": 1}), options)


def test_a_file_that_the_user_brings_decides_in_coco_too(tmp_path: Path) -> None:
    put_coco(put_image(tmp_path / "a.png").with_name("labels.json"), [{"category_id": 3, "bbox": [1, 1, 9, 9]}] * 2)
    content = json.loads((tmp_path / "labels.json").read_text())
    put_image(tmp_path / "b.png")
    content["images"].append({"id": 2, "file_name": "b.png", "width": 40, "height": 20})
    put_text(tmp_path / "labels.json", json.dumps(content))
    put_text(tmp_path / "splits.json", '{"a.png": "train", "b.png": "validation"}')

    dataset = open_dataset(tmp_path)

    assert [sample.image.name for sample in dataset["val"]] == ["b.png"]


def test_images_that_the_file_does_not_name_stay_and_names_without_image_are_warned_of(tmp_path: Path) -> None:
    put_yolo(tmp_path, [BOX] * 3, [BOX])
    put_text(tmp_path / "splits.json", '{"images/train/0.png": "test", "images/none.png": "val"}')

    dataset = open_dataset(tmp_path)

    assert {split: len(samples) for split, samples in dataset.splits.items()} == {
        Split.TRAIN: 2, Split.VAL: 1, Split.TEST: 1,
    }  # fmt: skip
    assert [(finding.code, finding.file) for finding in dataset.findings] == [("split_without_image", "splits.json")]


def put_twice(root: Path, first: list[int], second: list[int]) -> Path:
    """Five images in two COCO files, each with a box at each x."""
    images = [{"id": index, "file_name": f"{index}.png"} for index in range(5)]
    for index in range(5):
        put_image(root / f"{index}.png", color=(index * 50, 0, 0))
    for name, lefts in (("train.json", first), ("val.json", second)):
        boxes = [{"image_id": index, "category_id": 3, "bbox": [x, 1, 9, 9]} for index in range(5) for x in lefts]
        put_coco(root / name, boxes, images=images)
    return root


def test_an_image_of_two_files_keeps_the_labels_of_both(tmp_path: Path) -> None:
    before = open_dataset(put_twice(tmp_path, [1], [2, 3]), deep=True)
    write_split_file(before, assign_splits(before.own_splits, SplitOptions(is_whole=True)))

    after = open_dataset(tmp_path, deep=True)

    assert {split: len(samples) for split, samples in after.splits.items()} == {Split.TRAIN: 8, Split.VAL: 2}
    for dataset in (before, after):
        assert sorted(f.file for f in dataset.findings if f.code == "label_conflict") == [
            f"{index}.png" for index in range(5)
        ]  # fmt: skip
    boxes = {
        instance.box[0] for samples in after.splits.values() for sample in samples for instance in sample.instances
    }
    assert boxes == {1, 2, 3}


def test_an_image_that_two_files_label_alike_is_there_once(tmp_path: Path) -> None:
    sizes = stored(put_twice(tmp_path, [1, 2], [2, 1]), SplitOptions(is_whole=True))

    assert sizes == {"train": 4, "val": 1}


@pytest.mark.parametrize("text", ["{", "[]", '{"images/train/0.png": "learn"}', '{"images/train/0.png": {}}'])
def test_a_broken_file_is_refused(tmp_path: Path, text: str) -> None:
    put_text(put_yolo(tmp_path, [BOX] * 3, [BOX]) / "splits.json", text)

    assert only_finding(tmp_path).code == "splits_malformed"


@pytest.fixture
def little_text(monkeypatch: pytest.MonkeyPatch) -> int:
    """Lower the limit of text files from 16 MiB to a kilobyte."""
    monkeypatch.setattr("data_kit.tree.MAX_TEXT_BYTES", 1000)
    return 1000


def test_a_split_of_many_images_can_be_read_again(tmp_path: Path, little_text: int) -> None:
    assert stored(put_yolo(tmp_path, [BOX] * 100), SplitOptions()) == {"train": 80, "val": 20}

    assert (tmp_path / "splits.json").stat().st_size > little_text


@pytest.mark.usefixtures("little_text")
def test_a_file_that_is_longer_than_any_list_of_the_images_is_refused(tmp_path: Path) -> None:
    put_text(put_yolo(tmp_path, [BOX] * 10, [BOX]) / "splits.json", " " * 10_000)

    assert only_finding(tmp_path).code == "file_too_large"


def test_lists_of_many_images_are_read_in_yolo_and_voc(tmp_path: Path, little_text: int) -> None:
    names = [f"images/train/{index}.png" for index in range(200)]
    put_text(put_yolo(tmp_path / "yolo", [BOX] * 200) / "train.txt", "\n".join(names))
    put_text(tmp_path / "yolo" / "data.yaml", "train: train.txt\nnames: [cat]\n")
    write_voc(open_dataset(tmp_path / "yolo"), tmp_path / "voc")

    for folder, listing in (("yolo", "train.txt"), ("voc", "ImageSets/Main/train.txt")):
        assert (tmp_path / folder / listing).stat().st_size > little_text
        assert len(open_dataset(tmp_path / folder)["train"]) == 160
