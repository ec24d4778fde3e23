import shutil
from pathlib import Path

import pytest

from data_kit import Dataset, Sample, Split
from ultralytics_service.image_size import choose_image_size
from ultralytics_service.kinds import Kind
from ultralytics_service.loader import usable_workers
from ultralytics_service.metrics import validation_values
from vision_contracts import DatasetFormat


def dataset_of(width: int, height: int) -> Dataset:
    sample = Sample(Path("image.png"), width, height)
    return Dataset(Path(), DatasetFormat.YOLO, frozenset(), ("a",), {Split.TRAIN: [sample], Split.VAL: [sample]})


@pytest.mark.parametrize(
    ("kind", "size", "stride", "expected"),
    [
        (Kind.CLASSIFY, (32, 32), 32, 64),
        (Kind.CLASSIFY, (100, 90), 32, 128),
        (Kind.CLASSIFY, (1000, 10), 32, 224),
        (Kind.DETECT, (32, 20), 32, 128),
        (Kind.DETECT, (100, 416), 32, 416),
        (Kind.DETECT, (4000, 3000), 32, 640),
        (Kind.DETECT, (150, 100), 64, 192),
    ],
)
def test_auto_takes_the_size_of_the_images_within_what_the_network_is_made_for(
    kind: Kind, size: tuple[int, int], stride: int, expected: int
) -> None:
    assert choose_image_size("auto", dataset_of(*size), kind, stride) == expected


def test_a_given_size_is_rounded_up_to_what_the_network_can_take() -> None:
    assert choose_image_size(96, dataset_of(10, 10), Kind.DETECT, 64) == 128


def test_loader_processes_need_shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ultralytics_service.loader.SHARED_MEMORY_BYTES", 2**62)
    assert usable_workers(4, tmp_path) == 0
    total = shutil.disk_usage(tmp_path).total
    monkeypatch.setattr("ultralytics_service.loader.SHARED_MEMORY_BYTES", total)
    assert (usable_workers(4, tmp_path), usable_workers(4, tmp_path, processes=2)) == (4, 0)
    assert usable_workers(4, tmp_path / "none") == 4


def test_the_librarys_own_measures_have_names_of_their_own() -> None:
    metrics = {"metrics/mAP50-95(B)": 0.5, "metrics/mAP50-95(M)": 0.25, "val/box_loss": 1.0, "val/seg_loss": 2.0}
    assert validation_values(metrics) == {
        "val/loss": 3.0,
        "ultralytics/box_map50_95": 0.5,
        "ultralytics/mask_map50_95": 0.25,
        "ultralytics/val_box_loss": 1.0,
        "ultralytics/val_seg_loss": 2.0,
    }
