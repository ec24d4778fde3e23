import math
import threading
from pathlib import Path

import pytest
from pydantic import BaseModel

from data_kit import open_dataset
from trainer_kit.attempt_folder import AttemptFolder, StopOrder
from trainer_kit.catalog import load_catalog
from trainer_kit.testing.fake_adapter import FakeHyperparameters, adapter
from trainer_kit.testing.specs import changed
from trainer_kit.testing.waiting import wait_until
from trainer_kit.trainer import TrainingError, TrainingRun
from trainer_kit.trainer.attempt_run import MAX_FILES_IN_OUTBOX
from trainer_kit.trainer.messages import FileReport, Message
from vision_contracts import ArtifactKind, EndReason, Finished, Log, LogLevel, Metrics, Progress, Started


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def messages() -> list[Message]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run(folder: AttemptFolder, dataset_path: Path, messages: list[Message], clock: Clock) -> TrainingRun[BaseModel]:
    return TrainingRun(
        spec=changed(folder.read_spec(), epochs=4),
        card=load_catalog(adapter.catalog_file).cards["linear"],
        hyperparameters=FakeHyperparameters(),
        dataset=open_dataset(dataset_path),
        folder=folder.path,
        send=messages.append,
        clock=clock,
    )


def test_progress_tells_epochs_steps_and_the_time_that_is_left(
    run: TrainingRun[BaseModel], messages: list[Message], clock: Clock
) -> None:
    run.start(device="cpu", num_classes=3, steps_per_epoch=10, resume_step=10)
    clock.now = 20.0
    run.report_epoch(2, {"val/loss": 1.0, "val/accuracy": 0.5})
    assert messages == [
        Started(resume_step=10, device="cpu", num_classes=3),
        Metrics(step=20, epoch=2, values={"val/loss": 1.0, "val/accuracy": 0.5}),
        Progress(epoch=2, epochs=4, step=20, steps=40, eta_seconds=40.0),
    ]


def test_the_reported_steps_depend_on_their_number_alone(run: TrainingRun[BaseModel], messages: list[Message]) -> None:
    run.start(device="cpu", num_classes=3, steps_per_epoch=120)
    whole = [step for step in range(1, 481) if run.should_report(step)]
    run.start(device="cpu", num_classes=3, steps_per_epoch=120, resume_step=131)
    assert [step for step in range(1, 481) if run.should_report(step)] == whole
    assert {120, 240, 360, 480} <= set(whole)
    assert len(whole) == 240
    messages.clear()
    for step in range(1, 481):
        run.report_step(step, {"train/loss": 1.0})
    assert [message.step for message in messages if isinstance(message, Metrics)] == whole
    assert [message.epoch for message in messages if isinstance(message, Progress)][-1] == 3, (
        "the epoch is not validated yet"
    )


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_training_loss_that_is_not_finite_ends_the_training(run: TrainingRun[BaseModel], loss: float) -> None:
    run.start(device="cpu", num_classes=3, steps_per_epoch=1)
    with pytest.raises(TrainingError, match="learning rate") as caught:
        run.report_step(1, {"train/loss": loss})
    assert caught.value.reason is EndReason.NAN_LOSS


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_validation_loss_that_is_not_finite_ends_the_training(run: TrainingRun[BaseModel], loss: float) -> None:
    run.start(device="cpu", num_classes=3, steps_per_epoch=1)
    run.report_epoch(1, {"val/loss": 1.0, "val/accuracy": 0.3})
    with pytest.raises(TrainingError, match=r"validation loss .* learning rate") as caught:
        run.report_epoch(2, {"val/loss": loss, "val/accuracy": 0.5})
    assert caught.value.reason is EndReason.NAN_LOSS
    assert run.history.best_epoch == 1


def test_any_other_number_that_is_not_finite_is_null(run: TrainingRun[BaseModel], messages: list[Message]) -> None:
    run.start(device="cpu", num_classes=3, steps_per_epoch=1)
    run.report_epoch(1, {"val/loss": 1.0, "val/accuracy": math.nan})
    run.finish()
    assert messages[1] == Metrics(step=1, epoch=1, values={"val/loss": 1.0, "val/accuracy": None})
    assert messages[-1] == Finished(values={"val/loss": 1.0, "val/accuracy": None})


def test_a_checkpoint_is_handed_over_as_it_is_now(run: TrainingRun[BaseModel], messages: list[Message]) -> None:
    run.start(device="cpu", num_classes=3, steps_per_epoch=3)
    run.report_epoch(1, {"val/loss": 1.0, "val/accuracy": 0.5})
    path = run.folder / "last.pt"
    path.write_text("first")
    run.save_checkpoint(path, step=3, epoch=1)
    path.write_text("second, written in place")
    run.save_artifact(path, name="plots/a.png", kind=ArtifactKind.PLOT, step=4)
    checkpoint, artifact = messages[-2:]
    assert isinstance(checkpoint, FileReport)
    assert isinstance(artifact, FileReport)
    assert (run.folder / checkpoint.path).read_text() == "first"
    assert (checkpoint.name, checkpoint.step, checkpoint.epoch, checkpoint.is_best) == (
        "checkpoints/last.pt",
        3,
        1,
        True,
    )
    assert (artifact.name, artifact.kind, artifact.step) == ("plots/a.png", ArtifactKind.PLOT, 4)


def test_an_order_to_stop_is_seen(run: TrainingRun[BaseModel], folder: AttemptFolder) -> None:
    assert not run.stop_requested()
    folder.order_stop(StopOrder(attempt=1))
    assert run.stop_requested()


def test_a_stop_is_not_kept_waiting_by_files_that_cannot_be_stored(
    run: TrainingRun[BaseModel], folder: AttemptFolder, messages: list[Message]
) -> None:
    path = run.folder / "a.png"
    path.write_text("picture")

    def save_many() -> None:
        for number in range(MAX_FILES_IN_OUTBOX + 1):
            run.save_artifact(path, name=f"plots/{number}.png", kind=ArtifactKind.PLOT)

    saving = threading.Thread(target=save_many, daemon=True)
    saving.start()
    wait_until(lambda: len(messages) == MAX_FILES_IN_OUTBOX, "a full outbox")
    folder.order_stop(StopOrder(attempt=1))
    saving.join(5)
    assert len(messages) == MAX_FILES_IN_OUTBOX + 1


def test_a_log_message_has_its_level(run: TrainingRun[BaseModel], messages: list[Message]) -> None:
    run.log("careful", LogLevel.WARNING)
    assert messages == [Log(level=LogLevel.WARNING, message="careful")]


def test_the_best_checkpoint_stays_at_hand(run: TrainingRun[BaseModel], messages: list[Message]) -> None:
    run.start(device="cpu", num_classes=3, steps_per_epoch=10)
    path = run.folder / "last.pt"
    for epoch, (accuracy, loss) in enumerate([(0.5, 2.0), (0.5, 1.0), (0.4, 1.0)], start=1):
        run.report_epoch(epoch, {"val/loss": loss, "val/accuracy": accuracy})
        path.write_text(f"epoch {epoch}")
        run.save_checkpoint(path, step=10 * epoch, epoch=epoch)
    run.save_checkpoint(path, step=35, epoch=3)  # within an epoch
    checkpoints = [message for message in messages if isinstance(message, FileReport)]
    assert [checkpoint.is_best for checkpoint in checkpoints] == [True, True, False, False]
    assert checkpoints[-1].values == {}
    assert run.best_checkpoint is not None
    assert run.best_checkpoint.read_text() == "epoch 2"
    assert run.history.best == {"val/loss": 1.0, "val/accuracy": 0.5}


def test_the_training_loss_of_an_epoch_is_remembered_beside_its_validation(run: TrainingRun[BaseModel]) -> None:
    run.start(device="cpu", num_classes=3, steps_per_epoch=2)
    for step, loss in enumerate([4.0, 2.0, 1.0, 1.0], start=1):
        run.report_step(step, {"train/loss": loss})
        if step % 2 == 0:
            run.report_epoch(step // 2, {"val/accuracy": 0.5})
    assert [values["train/loss"] for values in run.history.epochs.values()] == [3.0, 1.0]
