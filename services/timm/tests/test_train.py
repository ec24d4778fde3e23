"""Real trainings of the smallest architectures on drawn shapes."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from trainings import StartTraining, Training, draw_shapes, state_of

from trainer_kit.trainer import Stopped, TrainingError
from vision_contracts import EndReason, Finished, Progress, Started, metric_names


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["model"]


def assert_same_weights(ours: Path, theirs: Path) -> None:
    mine, other = weights(ours), weights(theirs)
    assert mine.keys() == other.keys()
    assert [name for name in mine if not torch.equal(mine[name], other[name])] == []


def stop_at(training: Training, step: int) -> None:
    """Asks to stop as soon as the training tells of this step."""
    receive = training.receive

    def send(message: Any) -> None:
        receive(message)
        if isinstance(message, Progress) and message.step == step:
            (training.run.folder / "stop.json").write_text("{}")

    training.run.send = send


def test_the_training_loss_falls_and_the_shapes_are_learnt(training: StartTraining) -> None:
    result = training(params={"epochs": 8}).train()
    losses = list(result.series(metric_names.TRAIN_LOSS).values())
    assert len(losses) == 24
    assert sum(losses[-3:]) < 0.5 * sum(losses[:3])
    assert max(result.series(metric_names.VAL_ACCURACY).values()) >= 0.9


def test_everything_is_reported_in_the_order_that_resuming_relies_on(training: StartTraining) -> None:
    result = training(params={"epochs": 2}).train()
    kinds = [message.type for message in result.messages if message.type not in ("log", "progress")]
    assert kinds == ["started", *["metrics"] * 4, "file", *["metrics"] * 4, "file", "file", "finished"]
    started, finished = result.messages[0], result.messages[-1]
    assert isinstance(started, Started)
    assert (started.resume_step, started.device, started.num_classes) == (0, "cpu", 3)
    assert set(started.versions) == {"timm", "torch"}
    assert isinstance(finished, Finished)
    measured = {metric_names.VAL_LOSS, metric_names.VAL_ACCURACY, metric_names.EPOCH_SECONDS, metric_names.TRAIN_LOSS}
    assert set(finished.values) == measured
    assert list(result.series(metric_names.LEARNING_RATE)) == [1, 2, 3, 4, 5, 6]
    assert list(result.series(metric_names.EPOCH_SECONDS)) == [3, 6]


def test_the_log_says_what_happens_in_plain_words(training: StartTraining) -> None:
    log = training(params={"epochs": 1}).train().log
    assert "Data: 24 training and 9 validation images of 3 classes, seen at 32 by 32 pixels." in log
    assert "adamw at learning rate 0.002, on cpu" in log
    assert "Epoch 1 of 1: training loss" in log


def test_validation_counts_each_image_once(training: StartTraining) -> None:
    result = training(params={"epochs": 1, "batch_size": 4}).train()
    (accuracy,) = result.series(metric_names.VAL_ACCURACY).values()
    assert accuracy is not None
    assert (accuracy * 9) == pytest.approx(round(accuracy * 9))


def test_the_same_seed_gives_the_same_weights_and_another_does_not(training: StartTraining) -> None:
    first, again, other = (training(params={"epochs": 1, "seed": seed}).train().checkpoints[0] for seed in (3, 3, 4))
    assert_same_weights(first, again)
    assert any(not torch.equal(weights(first)[name], weights(other)[name]) for name in weights(first))


@pytest.mark.parametrize("model_name", ["test_resnet", "test_vit"])
def test_a_training_resumed_at_an_epochs_end_is_bit_equal(training: StartTraining, model_name: str) -> None:
    settings = {"drop_rate": 0.2, "mixup": 0.3, "ema_decay": 0.9, "params": {"epochs": 3}}
    whole = training(model_name, **settings).train()
    resumed = training(model_name, resume_from=whole.checkpoints[0], **settings).train()
    assert_same_weights(whole.checkpoints[-1], resumed.checkpoints[-1])
    assert resumed.series(metric_names.VAL_LOSS) == {
        step: value for step, value in whole.series(metric_names.VAL_LOSS).items() if step > 3
    }


def test_a_training_stopped_within_an_epoch_goes_on_at_that_very_step(training: StartTraining) -> None:
    settings = {"drop_rate": 0.2, "mixup": 0.3, "params": {"epochs": 3}}
    whole = training(**settings).train()
    stopped = training(**settings)
    stop_at(stopped, 5)
    with pytest.raises(Stopped):
        stopped.train()
    assert list(stopped.series(metric_names.TRAIN_LOSS)) == [1, 2, 3, 4, 5]
    resumed = training(resume_from=stopped.checkpoints[-1], **settings).train()
    started = resumed.messages[0]
    assert isinstance(started, Started)
    assert started.resume_step == 5
    assert list(resumed.series(metric_names.TRAIN_LOSS)) == [6, 7, 8, 9]
    assert_same_weights(whole.checkpoints[-1], resumed.checkpoints[-1])


def test_a_resumed_training_remembers_the_best_validation(training: StartTraining) -> None:
    whole = training(params={"epochs": 6}).train()
    resumed = training(params={"epochs": 6}, resume_from=whole.checkpoints[-2]).train()
    best, again = whole.messages[-1], resumed.messages[-1]
    assert isinstance(best, Finished)
    assert isinstance(again, Finished)
    assert again.values[metric_names.VAL_ACCURACY] == best.values[metric_names.VAL_ACCURACY]


def test_the_report_is_of_the_best_checkpoint(training: StartTraining, shapes: Path, tmp_path: Path) -> None:
    with_test = Path(shutil.copytree(shapes, tmp_path / "with-test"))
    shutil.copytree(shapes / "train", with_test / "test")
    whole = training(dataset=with_test, params={"epochs": 4}).train()
    finished = whole.messages[-1]
    assert isinstance(finished, Finished)
    report = whole.report
    assert (report.framework, report.model_name) == ("timm", "test_resnet")
    assert report.splits["val"].values["accuracy"] == finished.values[metric_names.VAL_ACCURACY]
    assert (report.splits["val"].images, report.splits["test"].images) == (9, 24)
    assert report.speed is not None
    assert [batch.batch_size for batch in report.speed.batches] == [1, 8]

    killed_at_the_end = training(
        dataset=with_test,
        params={"epochs": 4},
        resume_from=whole.checkpoints[-1],
        best_checkpoint=whole.checkpoints[report.epoch - 1],
    ).train()
    again = killed_at_the_end.report
    assert again.model_copy(update={"speed": report.speed}) == report


def test_a_resumed_training_without_the_best_checkpoint_says_that_it_has_no_report(training: StartTraining) -> None:
    whole = training(params={"epochs": 1}).train()
    resumed = training(params={"epochs": 1}, resume_from=whole.checkpoints[-1]).train()
    assert "There is no report" in resumed.log
    assert resumed.artifacts == {}


def test_more_epochs_extend_a_finished_training(training: StartTraining) -> None:
    done = training(params={"epochs": 1}).train()
    longer = training(params={"epochs": 2}, resume_from=done.checkpoints[-1]).train()
    assert list(longer.series(metric_names.VAL_LOSS)) == [6]


def test_another_batch_size_goes_on_at_the_epochs_beginning(training: StartTraining) -> None:
    done = training(params={"epochs": 1}).train()
    result = training(params={"epochs": 2, "batch_size": 12}, resume_from=done.checkpoints[-1]).train()
    assert list(result.series(metric_names.TRAIN_LOSS)) == [3, 4]


@pytest.mark.parametrize("change", [{"params": {"optimizer": "sgd"}}, {"weight_decay": 0.0}, {"freeze_backbone": True}])
def test_changed_settings_do_not_keep_a_training_from_going_on(training: StartTraining, change: dict[str, Any]) -> None:
    done = training(params={"epochs": 1}).train()
    settings = {**change, "params": {"epochs": 2, **change.get("params", {})}}
    result = training(resume_from=done.checkpoints[-1], **settings).train()
    assert list(result.series(metric_names.TRAIN_LOSS)) == [4, 5, 6]


def test_a_changed_weight_decay_is_the_one_that_is_used(training: StartTraining) -> None:
    done = training(params={"epochs": 1}, weight_decay=0.1).train()
    result = training(params={"epochs": 2}, weight_decay=0.2, resume_from=done.checkpoints[-1]).train()
    saved = torch.load(state_of(result.checkpoints[-1]), weights_only=True)["optimizer"]["param_groups"]
    assert {group["weight_decay"] for group in saved} == {0.0, 0.2}


def test_a_checkpoint_of_other_classes_is_refused_with_the_difference(training: StartTraining, tmp_path: Path) -> None:
    done = training(params={"epochs": 1}).train()
    other = draw_shapes(tmp_path / "other", train=4, val=2, classes=("circle", "square"))
    with pytest.raises(TrainingError, match="class_names") as caught:
        training(dataset=other, resume_from=done.checkpoints[-1]).train()
    assert caught.value.reason is EndReason.BAD_HYPERPARAMETERS


def test_a_learning_rate_far_too_high_ends_with_nan_loss(training: StartTraining) -> None:
    with pytest.raises(TrainingError, match="Lower the learning rate") as caught:
        training("test_vit", params={"learning_rate": 100.0, "optimizer": "sgd", "epochs": 8}, clip_grad_norm=0).train()
    assert caught.value.reason is EndReason.NAN_LOSS


def test_fewer_images_than_a_batch_train_all_the_same(training: StartTraining) -> None:
    result = training(params={"epochs": 1, "batch_size": 512}).train()
    assert list(result.series(metric_names.TRAIN_LOSS)) == [1]


def test_a_last_image_that_would_be_alone_joins_the_batch_before(training: StartTraining) -> None:
    result = training(params={"epochs": 1, "batch_size": 23}).train()
    assert list(result.series(metric_names.TRAIN_LOSS)) == [1]


def test_batches_of_one_image_say_what_batch_norm_needs(training: StartTraining) -> None:
    with pytest.raises(TrainingError, match="Set it to 2 or more") as caught:
        training(params={"batch_size": 1}).train()
    assert caught.value.reason is EndReason.BAD_HYPERPARAMETERS


def test_gray_deep_and_transparent_images_train(training: StartTraining, tmp_path: Path) -> None:
    root = draw_shapes(tmp_path / "mixed", train=4, val=2)
    for number, mode in enumerate(("L", "I;16", "RGBA", "P")):
        Image.new(mode, (40, 30)).save(root / "train" / "circle" / f"{number}.png")
    losses = training(dataset=root, params={"epochs": 1}).train().series(metric_names.TRAIN_LOSS)
    assert all(loss is not None and math.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_image_is_bad_data_and_named(training: StartTraining, tmp_path: Path, workers: int) -> None:
    root = draw_shapes(tmp_path / "broken", train=4, val=2)
    broken = root / "train" / "cross" / "2.png"
    broken.write_bytes(broken.read_bytes()[:-60])
    with pytest.raises(TrainingError, match=r"^train/cross/2\.png: .*Replace this image") as caught:
        training(dataset=root, workers=workers).train()
    assert caught.value.reason is EndReason.BAD_DATA
    assert "Traceback" not in str(caught.value)


def test_a_device_that_is_not_there_is_refused(training: StartTraining) -> None:
    with pytest.raises(TrainingError, match="cuda:63") as caught:
        training(params={"device": "cuda:63"}).train()
    assert caught.value.reason is EndReason.BAD_HYPERPARAMETERS


def test_training_whose_state_is_trimmed_continues_from_its_weights(training: StartTraining) -> None:
    done = training(params={"epochs": 1}).train()
    state_of(done.checkpoints[-1]).unlink()

    longer = training(params={"epochs": 2}, resume_from=done.checkpoints[-1]).train()

    assert list(longer.series(metric_names.TRAIN_LOSS)) == [4, 5, 6]
    assert "with a new optimizer" in longer.log


def test_checkpoint_of_before_there_were_two_files_resumes_exactly(training: StartTraining, tmp_path: Path) -> None:
    settings = {"drop_rate": 0.2, "params": {"epochs": 2}}
    whole = training(**settings).train()
    first = whole.checkpoints[0]
    one_file = tmp_path / "old.pt"
    torch.save(torch.load(first, weights_only=True) | torch.load(state_of(first), weights_only=True), one_file)

    resumed = training(resume_from=one_file, **settings).train()

    assert_same_weights(whole.checkpoints[-1], resumed.checkpoints[-1])
    assert "with a new optimizer" not in resumed.log


def test_weights_are_less_than_half_of_a_checkpoint(training: StartTraining) -> None:
    done = training("test_vit", params={"epochs": 1}).train()
    weights, state = done.checkpoints[-1], state_of(done.checkpoints[-1])

    assert weights.stat().st_size < state.stat().st_size
