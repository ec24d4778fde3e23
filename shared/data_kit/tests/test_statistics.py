from pathlib import Path

from building import BOX, put_classes, put_yolo

from data_kit import describe, open_dataset


def test_objects_are_counted_by_split_and_class(tmp_path: Path) -> None:
    statistics = describe(open_dataset(put_yolo(tmp_path, [BOX, f"{BOX}\n1 0.5 0.5 1 1", ""], [BOX])))

    train = statistics.splits["train"]
    assert (train.images, train.objects, train.images_without_objects) == (3, 3, 1)
    assert train.classes == {"cat": 2, "dog": 1}
    assert statistics.splits["val"].classes == {"cat": 1, "dog": 0}
    assert (statistics.width.median, statistics.height.max) == (40, 20)
    assert statistics.objects_per_image is not None
    assert statistics.objects_per_image.max == 2
    assert statistics.box_share is not None
    assert (statistics.box_share.min, statistics.box_share.max) == (0.25, 1)


def test_images_are_counted_by_class(tmp_path: Path) -> None:
    statistics = describe(open_dataset(put_classes(tmp_path, {"train/a": 3, "train/b": 1, "val/a": 1})))

    assert statistics.splits["train"].classes == {"a": 3, "b": 1}
    assert statistics.box_share is None
