"""Two processes that train one network on the CPU, as two GPUs would."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import torch
from jobs import make_spec
from shapes import write_bars, write_blank

from trainer_kit.testing.standalone_trainer import KillAt, StandaloneTrainer, state_of
from trainer_kit.trainer.main import TrainerInputs
from trainer_kit.trainer.messages import FileReport, Message
from trainer_kit.trainer.world import World
from ultralytics_service.loader import Share
from vision_contracts import Finished, Log, Started, metric_names

PLAIN = {"optimizer": "sgd", "learning_rate": 0.01, "epochs": 2}
UNCHANGED = {"momentum": 0.0, "warmup": 0.0, "scale": 0.0, "horizontal_flip": 0.0, "hsv_h": 0, "hsv_s": 0, "hsv_v": 0}
"""Every step is a mean over its images, and nothing else."""


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    return write_blank(tmp_path / "colours", side=32, classes=2, train=4, val=3)


@pytest.fixture
def alike(tmp_path: Path) -> Path:
    """A detector's loss is divided by the objects of its own process's images, and by no less than one whole object:
    here all images are the same, and their object is easily met.
    """
    bars = write_bars(tmp_path / "alike", "detect")
    for number in range(8):
        shutil.copyfile(bars / "images" / "val" / "0.png", bars / "images" / "train" / f"{number}.png")
        (bars / "labels" / "train" / f"{number}.txt").write_text("0 0.5 0.5 0.9 0.9")
    return bars


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StandaloneTrainer]:
    """`launch(model, data, num_devices=…, hyperparameters=…, <params>=…)`: processes, ready to train."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)

    def make(
        model_name: str,
        data: Path,
        *,
        adapter: str = "ultralytics_service.adapter:adapter",
        resume_from: Path | None = None,
        watch: Callable[[StandaloneTrainer, Message], None] = lambda _trainer, _message: None,
        hyperparameters: dict[str, Any] | None = None,
        **params: Any,
    ) -> StandaloneTrainer:
        state = state_of(resume_from) if resume_from else None
        spec = make_spec(tmp_path, model_name, data, hyperparameters, "scratch", {"num_devices": 2, **params})
        inputs = TrainerInputs(adapter, dataset=data, resume_from=resume_from, resume_state=state)
        return StandaloneTrainer(tmp_path / "attempts", spec.model_copy(update={"job_uid": uuid4()}), inputs, watch)

    return make


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Return the weights as they are trained, which are a part of the training state."""
    return torch.load(state_of(checkpoint), weights_only=True)["model"]


@pytest.mark.parametrize(
    ("model_name", "data", "value", "settings"),
    [
        ("yolov8n-cls", "colours", "val/accuracy", {}),
        pytest.param(
            "yolov8n", "alike", "val/map50_95", {"mosaic": 0, "translate": 0, "image_size": 64},
            marks=pytest.mark.thorough,
        ),
    ],
)  # fmt: skip
def test_two_processes_learn_what_one_learns_with_batches_of_both(
    launch: Callable[..., StandaloneTrainer],
    request: pytest.FixtureRequest,
    model_name: str,
    data: str,
    value: str,
    settings: dict[str, Any],
) -> None:
    job = {
        "model_name": model_name,
        "data": request.getfixturevalue(data),
        "adapter": "still_norms:adapter",
        "hyperparameters": UNCHANGED | settings,
        **PLAIN,
    }
    one = launch(**job, num_devices=1, batch_size=8).run()
    two = launch(**job, batch_size=4).run()
    assert one.messages_of(Finished), one.output
    assert two.messages_of(Finished), two.output
    assert [started.device for started in two.messages_of(Started)] == ["cpu"]
    assert any("batches of 4 on each of 2 devices (8 images together)" in line.message for line in two.messages_of(Log))
    for name in (metric_names.TRAIN_LOSS, metric_names.VAL_LOSS, value):
        assert list(two.series(name)) == [1, 2]
        assert two.series(name) == pytest.approx(one.series(name), abs=1e-4)
    ours, theirs = weights(two.checkpoint(2)), weights(one.checkpoint(2))
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, atol=1e-5, rtol=1e-3)


@pytest.mark.thorough
def test_a_pair_that_is_stopped_goes_on_as_if_it_had_not_been_stopped(
    launch: Callable[..., StandaloneTrainer], tmp_path: Path
) -> None:
    """Train with mosaics, for which each process has images of its own at hand."""

    def stop_after_the_first_epoch(trainer: StandaloneTrainer, message: Message) -> None:
        if isinstance(message, FileReport):
            trainer.stop()

    job = {
        "model_name": "yolo26n",
        "data": write_bars(tmp_path / "bars", "detect"),
        "hyperparameters": {"image_size": 64, "mixup": 0.5, "close_mosaic": 1},
        "epochs": 3,
        "batch_size": 2,
    }
    whole = launch(**job).run()
    stopped = launch(**job, watch=stop_after_the_first_epoch).run()
    assert (stopped.exit_code, stopped.output) == (0, "")
    assert stopped.messages_of(Finished) == []
    resumed = launch(**job, resume_from=stopped.checkpoint(2)).run()
    assert list(resumed.series(metric_names.TRAIN_LOSS)) == [3, 4, 5, 6]
    ours, theirs = weights(resumed.checkpoint(6)), weights(whole.checkpoint(6))
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


@pytest.mark.thorough  # the kit ends the processes; timm's tests always see it
def test_a_process_that_is_killed_takes_the_other_with_it_at_once(
    launch: Callable[..., StandaloneTrainer], colours: Path
) -> None:
    kill = KillAt(step=2, rank=1)
    kill.check(launch("yolov8n-cls", colours, epochs=1000, batch_size=2, watch=kill).run())


@pytest.mark.thorough
def test_an_early_end_of_the_first_process_ends_the_others(
    launch: Callable[..., StandaloneTrainer], colours: Path
) -> None:
    ended = launch("yolov8n-cls", colours, epochs=1000, batch_size=4, hyperparameters={"patience": 1}).run()
    assert (ended.exit_code, ended.output) == (0, "")
    assert len(ended.messages_of(Finished)) == 1
    assert any("Ended early" in line.message for line in ended.messages_of(Log))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("model_name", "task"),
    [
        ("yolov8n-rtdetr", "detect"),
        ("yolo26n", "detect"),
        ("yolo26n-seg", "segment"),
        ("yolo26n-pose", "pose"),
        ("yolo26n-obb", "obb"),
        ("yolo26n-sem", "semantic"),
    ],
)
def test_every_kind_trains_in_two_processes(
    launch: Callable[..., StandaloneTrainer], tmp_path: Path, model_name: str, task: str
) -> None:
    """Some heads have weights that no step uses before an object is met."""
    bars = write_bars(tmp_path / task, task, train=7)
    trained = launch(model_name, bars, epochs=2, batch_size=2, hyperparameters={"image_size": 64}).run()
    assert trained.messages_of(Finished), trained.output
    assert list(trained.series(metric_names.VAL_LOSS)) == [2, 4]


@pytest.mark.parametrize("size", [7, 8])
def test_processes_share_an_epoch_out_evenly(size: int) -> None:
    first, second = (Share(range(size), World(rank, 2), lambda: 5) for rank in (0, 1))
    [*whole] = Share(range(size), World(), lambda: 5)
    assert sorted(whole) == list(range(size))
    assert [image for pair in zip(first, second, strict=True) for image in pair] == whole[: size // 2 * 2]
    assert len(first) == len(second) == size // 2
