"""The same images and labels train the same, in whatever format they come."""

from collections.abc import Callable
from pathlib import Path

import pytest
from jobs import Attempt, run_job
from shapes import write_bars, write_blank

from data_kit import Dataset, open_dataset, write_coco, write_imagefolder, write_voc, write_yolo
from vision_contracts import DatasetFormat, TaskType

Write = Callable[[Dataset, Path], Path]
DETECTION: dict[DatasetFormat, Write] = {
    DatasetFormat.YOLO: lambda dataset, folder: write_yolo(dataset, folder, TaskType.OBJECT_DETECTION),
    DatasetFormat.COCO: write_coco,
    DatasetFormat.VOC: write_voc,
}


def metrics_of(attempt: Attempt) -> dict[tuple[str, int], float]:
    """All but times, by name and step."""
    return {
        (name, message.step): value
        for message in attempt.of_type("metrics")
        for name, value in message.values.items()
        if not name.startswith("time/") and "memory" not in name
    }


def trained(folder: Path, model_name: str, written: Dataset) -> dict[tuple[str, int], float]:
    attempt = run_job(folder, model_name, written.root, epochs=2, hyperparameters={"image_size": 64})
    assert attempt.exit_code == 0, attempt.failure.message
    return metrics_of(attempt)


@pytest.mark.thorough  # each format is read by the kit, whose tests compare what they read
def test_a_detector_learns_the_same_from_yolo_coco_and_voc(tmp_path: Path) -> None:
    bars = open_dataset(write_bars(tmp_path / "bars", "detect"))
    found = {}
    for format_, write in DETECTION.items():
        write(bars, tmp_path / format_)
        dataset = open_dataset(tmp_path / format_)
        assert (dataset.format, dataset.class_names) == (format_, bars.class_names)
        found[format_] = trained(tmp_path / f"{format_}-job", "yolo11n", dataset)

    first = found[DatasetFormat.YOLO]
    assert {("val/map50_95", 4), ("train/loss", 4)} <= first.keys()
    for metrics in found.values():
        assert metrics == first


def test_a_classifier_learns_the_same_with_and_without_named_splits(tmp_path: Path) -> None:
    """A missing `val` is split off by the kit; the same split, written out, is the same training."""
    whole = write_blank(tmp_path / "whole", side=32, classes=2, train=12, val=0)
    for name in ("colour0", "colour1"):
        (whole / "val" / name).rmdir()
        (whole / "train" / name).rename(whole / name)
    (whole / "val").rmdir()
    (whole / "train").rmdir()
    split_off = open_dataset(whole)
    assert split_off.is_val_split_off
    write_imagefolder(split_off, tmp_path / "named")
    named = open_dataset(tmp_path / "named")
    assert not named.is_val_split_off

    first = trained(tmp_path / "a", "yolov8n-cls", split_off)

    assert trained(tmp_path / "b", "yolov8n-cls", named) == first
