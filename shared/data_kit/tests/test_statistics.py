from pathlib import Path

from building import BOX, put_classes, put_image, put_yolo

from data_kit import DatasetStatistics, describe, open_dataset


def test_objects_are_counted_by_split_and_class(tmp_path: Path) -> None:
    statistics = describe(open_dataset(put_yolo(tmp_path, [BOX, f"{BOX}\n1 0.5 0.5 1 1", ""], [BOX])))

    train = statistics.splits["train"]
    assert (train.images, train.objects, train.images_without_objects) == (3, 3, 1)
    assert train.classes == {"cat": 2, "dog": 1}
    assert train.class_images == {"cat": 2, "dog": 1}
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


def test_histograms_count_every_image_and_every_box_once(tmp_path: Path) -> None:
    label = "0 0.5 0.5 0.05 0.1\n0 0.5 0.5 0.2 0.2\n0 0.5 0.5 1 1"
    put_yolo(tmp_path, [label, BOX, ""], [BOX])
    put_image(tmp_path / "images/train/0.png", (400, 200))

    statistics = describe(open_dataset(tmp_path))

    assert statistics.box_sizes is not None
    assert statistics.box_sizes.model_dump() == {"small": 3, "medium": 1, "large": 1}  # 20x20, 20x10 twice; 80x40; all
    share = statistics.box_share_histogram
    assert share is not None
    assert dict(zip(share.edges[:-1], share.counts, strict=True)) == {
        0: 0, 0.001: 0, 0.003: 1, 0.01: 0, 0.03: 1, 0.1: 2, 0.3: 1,
    }  # fmt: skip
    per_image = statistics.objects_per_image_histogram
    assert per_image is not None
    assert (per_image.edges, per_image.counts) == ([0, 1, 2, 3, 4], [1, 2, 0, 1])
    for histogram, low, high in (
        (statistics.width_histogram, 40, 400),
        (statistics.height_histogram, 20, 200),
        (statistics.aspect_histogram, 0.25, 4),
    ):
        assert histogram is not None
        assert (sum(histogram.counts), len(histogram.counts)) == (4, len(histogram.edges) - 1)
        assert len(histogram.counts) <= 20
        assert histogram.edges[0] <= low
        assert histogram.edges[-1] >= high


def test_pictures_of_any_shape_have_a_bin(tmp_path: Path) -> None:
    for index, size in enumerate(((1, 900), (900, 1), (64, 64))):
        put_image(tmp_path / f"train/a/{index}.png", size)
    put_classes(tmp_path, {"train/b": 1, "val/a": 1})

    histogram = describe(open_dataset(tmp_path)).aspect_histogram

    assert histogram is not None
    assert sum(histogram.counts) == 5
    assert histogram.counts[0] == histogram.counts[-1] == 1


def test_statistics_from_before_there_were_histograms_can_be_read() -> None:
    old = {
        "splits": {"train": {"images": 1, "objects": 0, "images_without_objects": 0, "classes": {"a": 1}}},
        "width": {"min": 1, "median": 1, "max": 1},
        "height": {"min": 1, "median": 1, "max": 1},
    }

    read = DatasetStatistics.model_validate(old)

    assert (read.width_histogram, read.splits["train"].class_images) == (None, None)
