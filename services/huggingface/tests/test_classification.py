"""Image classification, trained for real."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from attempts import Attempt, state_of
from conftest import StartTraining
from drawings import draw_colors

from huggingface_service.checkpoint import load_checkpoint
from trainer_kit.trainer import Stopped, TrainingError
from trainer_kit.trainer.messages import Message
from vision_contracts import EndReason, Metrics


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, colors: Path) -> Attempt:
    """Two epochs of five steps, never interrupted."""
    return Attempt(tmp_path_factory.mktemp("module") / "whole", colors, params={"epochs": 2}).run()


def test_a_training_learns_and_tells_of_every_step_and_epoch(attempt: StartTraining) -> None:
    done = attempt(
        model_name="WinKawaks/vit-tiny-patch16-224", params={"epochs": 8, "batch_size": 6, "learning_rate": 5e-4}
    ).run()

    assert done.started.num_classes == 3
    assert done.started.device == "cpu"
    losses = list(done.points("train/loss").values())
    assert list(done.points("train/loss")) == list(range(1, 25))
    assert sum(losses[-3:]) < sum(losses[:3]) / 2
    assert done.final is not None
    assert done.final["val/accuracy"] == 1.0
    assert list(done.points("val/loss")) == list(done.points("time/epoch_seconds")) == [3, 6, 9, 12, 15, 18, 21, 24]
    assert "Epoch 8 of 8" in done.log


def test_each_epoch_leaves_a_checkpoint_and_the_best_is_marked(whole: Attempt) -> None:
    first, second = whole.checkpoints

    assert (first.name, first.epoch, first.step) == ("checkpoints/last.pt", 1, 5)
    assert (second.epoch, second.step) == (2, 10)
    assert first.is_best
    assert second.is_best == (second.values["val/accuracy"] > first.values["val/accuracy"])
    saved = load_checkpoint(whole.checkpoint(10))
    assert saved.class_names == ["blue", "green", "red"]
    assert saved.optimizer_name == "adamw"
    assert whole.final == pytest.approx(max(saved.history.values(), key=lambda values: values["val/accuracy"]))


def test_the_report_is_of_the_best_checkpoint(attempt: StartTraining, whole: Attempt) -> None:
    report = whole.report
    best = next(checkpoint for checkpoint in reversed(whole.checkpoints) if checkpoint.is_best)
    assert (report.framework, report.epoch) == ("huggingface", best.epoch)
    assert whole.final is not None
    assert report.splits["val"].values["accuracy"] == whole.final["val/accuracy"]
    assert report.speed is not None
    assert report.speed.parameters > 0

    lost = attempt(
        params={"epochs": 2}, resume_from=whole.checkpoint(10), best_checkpoint=whole.checkpoint(best.step)
    ).run()
    assert lost.report.splits == report.splits


def test_a_resumed_training_is_bit_equal_to_one_that_never_stopped(attempt: StartTraining, whole: Attempt) -> None:
    resumed = attempt(params={"epochs": 2}, resume_from=whole.checkpoint(5)).run()

    assert resumed.started.resume_step == 5
    assert_same_ending(whole.checkpoint(10), resumed.checkpoint(10))
    for name in ("train/loss", "val/loss", "lr"):
        assert resumed.points(name) == {step: value for step, value in whole.points(name).items() if step > 5}


def test_a_training_stopped_within_an_epoch_goes_on_bit_equal(attempt: StartTraining, whole: Attempt) -> None:
    stopped = attempt("stopped", params={"epochs": 2}, resume_from=whole.checkpoint(5), watch=stop_at_step(7))
    with pytest.raises(Stopped):
        stopped.run()
    assert [report.step for report in stopped.checkpoints] == [7]
    assert not stopped.checkpoints[-1].is_best
    assert stopped.final is None

    resumed = attempt("resumed", params={"epochs": 2}, resume_from=stopped.checkpoint(7)).run()
    assert_same_ending(whole.checkpoint(10), resumed.checkpoint(10))


def test_a_stop_before_validation_leaves_the_epoch_to_be_validated_later(
    attempt: StartTraining, whole: Attempt
) -> None:
    stopped = attempt("stopped", params={"epochs": 2}, watch=stop_at_step(5))
    with pytest.raises(Stopped):
        stopped.run()
    assert stopped.points("val/loss") == {}

    resumed = attempt("resumed", params={"epochs": 2}, resume_from=stopped.checkpoint(5)).run()
    assert resumed.points("val/loss") == whole.points("val/loss")
    assert_same_ending(whole.checkpoint(10), resumed.checkpoint(10))


def stop_at_step(step: int) -> Callable[[Attempt, Message], None]:
    def watch(running: Attempt, message: Message) -> None:
        if isinstance(message, Metrics) and message.step == step:
            running.stop()

    return watch


def test_a_finished_training_can_be_extended_at_the_learning_rate_that_the_job_has_now(
    attempt: StartTraining, whole: Attempt
) -> None:
    longer = attempt(
        params={"epochs": 3, "learning_rate": 7e-5},
        hyperparameters={"scheduler": "constant", "warmup": 0},
        resume_from=whole.checkpoint(10),
    ).run()

    assert [report.step for report in longer.checkpoints] == [15]
    assert longer.points("lr") == pytest.approx(dict.fromkeys(range(11, 16), 7e-5))


def test_the_seed_decides_everything(attempt: StartTraining) -> None:
    first, same, other = (
        attempt(name, params={"seed": seed, "batch_size": 9}).run().points("train/loss")
        for name, seed in (("first", 1), ("same", 1), ("other", 2))
    )

    assert first == same
    assert first != other


def test_batches_are_accumulated_into_one_step(attempt: StartTraining) -> None:
    done = attempt(hyperparameters={"accumulation_steps": 3}).run()

    assert list(done.points("train/loss")) == [1, 2]


def test_a_frozen_backbone_stays_as_it_is_while_the_head_learns(attempt: StartTraining, whole: Attempt) -> None:
    frozen = attempt(initial_checkpoint=whole.checkpoint(10), hyperparameters={"freeze_backbone": True}).run()

    before, after = load_checkpoint(whole.checkpoint(10)).model, load_checkpoint(frozen.checkpoint(5)).model
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_weights_of_another_job_are_taken_over_except_for_a_head_of_other_classes(
    attempt: StartTraining, whole: Attempt, tmp_path: Path
) -> None:
    data = draw_colors(tmp_path / "data", names=("red", "blue"))
    done = attempt(data=data, initial_checkpoint=whole.checkpoint(10)).run()

    assert "tensors of weights loaded" in done.log
    assert "2 tensors start from random values: classifier.bias, classifier.weight" in done.log


def test_a_file_that_is_no_checkpoint_is_refused(attempt: StartTraining, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.pt"
    torch.save({"model": {}}, foreign)

    for field in ("initial_checkpoint", "resume_from"):
        with pytest.raises(TrainingError, match="huggingface job") as caught:
            attempt(field, **{field: foreign}).run()
        assert caught.value.reason == EndReason.WEIGHTS_UNAVAILABLE


def test_other_batches_go_on_at_the_epochs_beginning(attempt: StartTraining) -> None:
    done = attempt("first", params={"epochs": 1, "batch_size": 6}).run()
    resumed = attempt("second", resume_from=done.checkpoint(3), params={"epochs": 2, "batch_size": 9}).run()
    assert list(resumed.points("train/loss")) == [3, 4]
    assert resumed.started.resume_step == 2


def test_a_checkpoint_of_another_model_cannot_be_resumed(attempt: StartTraining, whole: Attempt) -> None:
    with pytest.raises(TrainingError, match=r"mobilenet_v2_0\.35_96") as caught:
        attempt(model_name="resnet", resume_from=whole.checkpoint(5)).run()
    assert caught.value.reason == EndReason.BAD_HYPERPARAMETERS


def test_a_loss_that_is_not_finite_ends_the_training(attempt: StartTraining) -> None:
    with pytest.raises(TrainingError, match="Lower the learning rate") as caught:
        attempt(
            params={"epochs": 3, "learning_rate": 90, "optimizer": "sgd"},
            model_name="segformer",
            hyperparameters={"warmup": 0, "clip_grad_norm": 0},
        ).run()
    assert caught.value.reason == EndReason.NAN_LOSS


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_image_is_named(attempt: StartTraining, tmp_path: Path, workers: int) -> None:
    data = draw_colors(tmp_path / "broken")
    victim = data / "train" / "red" / "0.png"
    victim.write_bytes(victim.read_bytes()[:200])

    with pytest.raises(TrainingError, match=r"red/0\.png.*Replace this image") as caught:
        attempt(data=data, hyperparameters={"workers": workers}).run()
    assert caught.value.reason == EndReason.BAD_DATA


def test_training_whose_state_is_trimmed_continues_from_its_weights(attempt: StartTraining) -> None:
    done = attempt("first", params={"epochs": 1}).run()
    state_of(done.checkpoint(5)).unlink()

    longer = attempt("second", resume_from=done.checkpoint(5), params={"epochs": 2}).run()

    assert longer.started.resume_step == 5
    assert "with a new optimizer" in longer.log


def assert_same_ending(first: Path, second: Path) -> None:
    one, other = (load_checkpoint(path, state_of(path)) for path in (first, second))
    assert (one.epoch, one.step) == (other.epoch, other.step)
    assert one.model.keys() == other.model.keys()
    assert all(torch.equal(one.model[name], other.model[name]) for name in one.model)
    for key, state in one.optimizer["state"].items():
        assert all(torch.equal(value, other.optimizer["state"][key][name]) for name, value in state.items())
