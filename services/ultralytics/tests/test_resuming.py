from pathlib import Path

import pytest
import torch
from jobs import Attempt, run_job, state_of
from shapes import write_bars, write_blank

from ultralytics_service.checkpoint import load_checkpoint

STEPS = 2
EPOCHS = 3


def assert_continues(resumed: Attempt, whole: Attempt, *, after_epoch: int) -> None:
    assert resumed.exit_code == 0, resumed.failure.message
    first = after_epoch * STEPS + 1
    assert [message.resume_step for message in resumed.of_type("started")] == [first - 1]
    for name in ("train/loss", "lr", "val/loss"):
        expected = {step: value for step, value in whole.values(name).items() if step >= first}
        assert resumed.values(name) == pytest.approx(expected, abs=1e-3), name
    ours, theirs = (load_checkpoint(path, state_of(path)) for path in (resumed.checkpoint, whole.checkpoint))
    assert ours.epoch == theirs.epoch == EPOCHS
    assert ours.ema_updates == theirs.ema_updates == EPOCHS * STEPS
    assert ours.history.keys() == theirs.history.keys()
    for part in ("model", "ema"):
        for name, tensor in getattr(ours, part).items():
            torch.testing.assert_close(tensor, getattr(theirs, part)[name], atol=1e-3, rtol=1e-3)


def test_a_stopped_detector_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    """YOLO26 has the most to resume: its loss changes from epoch to epoch."""
    bars = write_bars(tmp_path / "bars", "detect")
    settings = {"epochs": EPOCHS, "hyperparameters": {"mixup": 0.5, "close_mosaic": 1, "warmup": 0.5}}
    whole = run_job(tmp_path / "whole", "yolo26n", bars, **settings)
    first = run_job(tmp_path / "first", "yolo26n", bars, stop_after_epoch=1, **settings)
    assert (first.exit_code, first.of_type("finished"), first.of_type("failed")) == (0, [], [])
    assert first.of_type("progress")[-1].epoch == 1
    resumed = run_job(tmp_path / "resumed", "yolo26n", bars, resume_from=first.checkpoint, **settings)
    assert_continues(resumed, whole, after_epoch=1)


def test_classification_goes_on_with_the_same_augmentation_and_the_same_validation(tmp_path: Path) -> None:
    """Ten images for validation make batches of eight and two: their order decides the mean loss."""
    colours = write_blank(tmp_path / "colours", side=32, classes=2, train=4, val=5)
    settings = {
        "epochs": EPOCHS,
        "hyperparameters": {"drop_rate": 0.5, "random_erasing": 0.5, "auto_augment": "randaugment"},
    }
    whole = run_job(tmp_path / "whole", "yolov8n-cls", colours, **settings)
    first = run_job(tmp_path / "first", "yolov8n-cls", colours, stop_after_epoch=2, **settings)
    resumed = run_job(tmp_path / "resumed", "yolov8n-cls", colours, resume_from=first.checkpoint, **settings)
    assert_continues(resumed, whole, after_epoch=2)


def test_a_job_that_was_lost_after_its_last_epoch_only_finishes(tmp_path: Path) -> None:
    colours = write_blank(tmp_path / "colours", side=32, classes=2)
    whole = run_job(tmp_path / "whole", "yolov8n-cls", colours)
    again = run_job(
        tmp_path / "again", "yolov8n-cls", colours, resume_from=whole.checkpoint, best_checkpoint=whole.checkpoint
    )
    assert again.exit_code == 0
    assert again.of_type("metrics") == []
    assert again.of_type("finished") == whole.of_type("finished")
    assert again.report.splits == whole.report.splits


def test_more_epochs_extend_a_finished_job(tmp_path: Path) -> None:
    colours = write_blank(tmp_path / "colours", side=32, classes=2)
    whole = run_job(tmp_path / "whole", "yolov8n-cls", colours)
    longer = run_job(tmp_path / "longer", "yolov8n-cls", colours, resume_from=whole.checkpoint, epochs=2)
    assert [message.epoch for message in longer.of_type("file") if message.kind == "checkpoint"] == [2]


def test_seeds_decide_the_run(tmp_path: Path) -> None:
    colours = write_blank(tmp_path / "colours", side=32, classes=2)
    runs = [run_job(tmp_path / str(number), "yolov8n-cls", colours, seed=seed) for number, seed in enumerate((1, 1, 2))]
    first, same, other = (run.values("train/loss") for run in runs)
    assert first == same
    assert first != other


def test_training_whose_state_is_trimmed_continues_from_its_averaged_weights(tmp_path: Path) -> None:
    colours = write_blank(tmp_path / "colours", side=32, classes=2)
    whole = run_job(tmp_path / "whole", "yolov8n-cls", colours)
    state = state_of(whole.checkpoint)
    assert state is not None
    state.unlink()
    saved = load_checkpoint(whole.checkpoint)

    longer = run_job(tmp_path / "longer", "yolov8n-cls", colours, resume_from=whole.checkpoint, epochs=2)

    assert (saved.model, saved.optimizer) == (None, None)
    assert longer.exit_code == 0, longer.failure.message
    assert load_checkpoint(longer.checkpoint).epoch == 2
    assert any("with a new optimizer" in message.message for message in longer.of_type("log"))
