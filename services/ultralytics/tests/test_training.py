from pathlib import Path

import pytest
from jobs import Attempt, run_job
from shapes import write_bars, write_blank

from trainer_kit.testing.variants import variants

NETWORKS = {
    "segment": "yolo11n-seg",
    "semantic": "yolo26n-sem",
    "pose": "yolo26n-pose",
    "obb": "yolo11n-obb",
}
QUICK_TASKS = ("segment", "semantic")
"""The others train thoroughly, here and for their operations."""
PRIMARY = {"semantic": "val/miou"}


def assert_tells_of_a_whole_training(attempt: Attempt, *, epochs: int) -> None:
    assert attempt.exit_code == 0, attempt.failure.message
    assert [message.resume_step for message in attempt.of_type("started")] == [0]
    last = attempt.of_type("progress")[-1]
    assert (last.epoch, last.step) == (epochs, last.steps)
    checkpoints = [message for message in attempt.of_type("file") if message.kind == "checkpoint"]
    assert [message.epoch for message in checkpoints] == list(range(1, epochs + 1))
    assert checkpoints[0].is_best
    [finished] = attempt.of_type("finished")
    primary, report = attempt.report.primary_metric, attempt.report
    assert report.splits["val"].values[primary.removeprefix("val/")] == finished.values[primary]
    assert report.speed is not None


@pytest.mark.thorough  # the scenarios do the same through the platform
def test_classification_learns_with_its_cards_defaults_from_scratch(tmp_path: Path, digits: Path) -> None:
    attempt = run_job(tmp_path / "job", "yolov8n-cls", digits, epochs=5, batch_size=16)
    assert_tells_of_a_whole_training(attempt, epochs=5)
    losses = list(attempt.values("train/loss").values())
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    assert attempt.of_type("finished")[0].values["val/accuracy"] >= 0.3  # chance is 0.1


def test_detection_loss_falls_on_few_images(tmp_path: Path, coins: Path) -> None:
    attempt = run_job(tmp_path / "job", "yolo11n", coins, epochs=3, batch_size=8)
    assert_tells_of_a_whole_training(attempt, epochs=3)
    losses = list(attempt.values("train/loss").values())
    assert sum(losses[-4:]) < 0.9 * sum(losses[:4])
    assert len(attempt.values("val/map50_95")) == len(attempt.values("val/map50")) == 3
    assert attempt.values("ultralytics/box_loss").keys() == attempt.values("train/loss").keys()
    assert all(seconds > 0 for seconds in attempt.values("time/epoch_seconds").values())


@pytest.mark.parametrize("task", variants(NETWORKS, quick=QUICK_TASKS))
def test_every_other_task_trains(tmp_path: Path, task: str) -> None:
    plots = {"plots": task == "segment"}
    bars = write_bars(tmp_path / "bars", task)
    attempt = run_job(tmp_path / "job", NETWORKS[task], bars, epochs=1, hyperparameters=plots)
    assert_tells_of_a_whole_training(attempt, epochs=1)
    assert PRIMARY.get(task, "val/map50_95") in attempt.of_type("finished")[0].values
    assert attempt.of_type("finished")[0].values["val/loss"] > 0
    pictures = [message.name for message in attempt.of_type("file") if message.name.startswith("plots/")]
    assert ("plots/sample_predictions.png" in pictures) if plots["plots"] else not pictures


@pytest.mark.thorough
def test_a_transformer_detector_trains(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "bars", "detect", train=2, val=1, classes=1)
    assert_tells_of_a_whole_training(run_job(tmp_path / "job", "yolov8n-rtdetr", bars, batch_size=2), epochs=1)


def test_a_resnet_trains_without_fetching_its_weights(tmp_path: Path) -> None:
    colours = write_blank(tmp_path / "colours", side=32, classes=2, train=2, val=1)
    assert_tells_of_a_whole_training(run_job(tmp_path / "job", "yolo11-cls-resnet18", colours), epochs=1)


def test_images_that_the_library_would_leave_out_are_learnt_from(tmp_path: Path) -> None:
    colours = write_blank(tmp_path / "colours", side=4, classes=2)
    attempt = run_job(tmp_path / "job", "yolov8n-cls", colours)
    assert attempt.exit_code == 0
    assert attempt.of_type("progress")[-1].steps == 16 / 4
    assert {path.stat().st_nlink for path in colours.rglob("*.png")} == {1}


def test_training_ends_early_when_it_gets_no_better(tmp_path: Path) -> None:
    colours = write_blank(tmp_path / "colours", side=32, classes=2, train=4)
    attempt = run_job(tmp_path / "job", "yolov8n-cls", colours, epochs=30, hyperparameters={"patience": 1})
    assert attempt.exit_code == 0
    accuracies = list(attempt.values("val/accuracy").values())
    assert len(accuracies) < 30
    assert accuracies[-1] <= max(accuracies[:-1]) == attempt.of_type("finished")[0].values["val/accuracy"]
