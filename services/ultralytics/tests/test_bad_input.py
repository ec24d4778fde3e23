"""Data at the edge: it trains, or it is refused with its reason. More of what may be wrong is in test_refusals.py."""

from pathlib import Path

from jobs import run_job
from PIL import Image
from shapes import write_bars

from vision_contracts import EndReason


def test_a_class_with_one_image_trains(tmp_path: Path) -> None:
    for name, count in {"many": 4, "single": 1}.items():
        for split, number in (("train", count), ("val", 1)):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for index in range(number):
                image = Image.new("I;16", (32, 32), 4000 * index)
                image.save(tmp_path / "data" / split / name / f"{index}.png")
    attempt = run_job(tmp_path / "job", "yolov8n-cls", tmp_path / "data", batch_size=64)
    assert attempt.exit_code == 0, attempt.failure.message
    assert len(attempt.values("train/loss")) == 1


def test_grey_and_deep_images_with_fewer_of_them_than_a_batch_train(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "bars", "detect", train=3, val=1, classes=1)
    for number, path in enumerate(sorted((bars / "images" / "train").iterdir())):
        Image.open(path).convert("L").convert(("L", "I;16", "RGB")[number]).save(path)
    attempt = run_job(tmp_path / "job", "yolov8n", bars, batch_size=16)
    assert attempt.exit_code == 0, attempt.failure.message
    assert len(attempt.values("train/loss")) == 1


def test_keypoints_of_another_count_than_the_data_set_says_are_bad_data(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "bars", "pose", train=2, val=1)
    label = next((bars / "labels" / "train").iterdir())
    label.write_text(" ".join(label.read_text().splitlines()[0].split()[:-3]))
    failure = run_job(tmp_path / "job", "yolov8n-pose", bars).failure
    assert failure.reason is EndReason.BAD_DATA
    assert label.name in failure.message
