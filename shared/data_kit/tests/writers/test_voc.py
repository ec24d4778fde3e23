from pathlib import Path

import pytest
from building import put_yolo

from data_kit import open_dataset, write_voc


@pytest.mark.parametrize(
    ("label", "box"),
    [
        ("0 0.5 0.5 0.01 0.5", (19.2, 5, 20.2, 15)),
        ("0 0.5 0.5 0.5 0.02", (10, 9.2, 30, 10.2)),
        ("0 0.005 0.5 0.01 0.5", (0, 5, 1, 15)),
        ("0 0.995 0.5 0.01 0.5", (39, 5, 40, 15)),
        ("0 0.5 0.5 0.025 0.05", (19.5, 9.5, 20.5, 10.5)),
    ],
)
def test_a_box_narrower_than_a_pixel_becomes_as_wide_as_one(tmp_path: Path, label: str, box: tuple[float, ...]) -> None:
    dataset = open_dataset(put_yolo(tmp_path / "yolo", [label] * 2, [label]))

    read = open_dataset(write_voc(dataset, tmp_path / "voc"))

    assert read["train"][0].instances[0].box == pytest.approx(box)
    assert not read.findings
