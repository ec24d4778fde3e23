"""Two processes that train one model on the CPU, as two GPUs would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import torch
from attempts import CLASSIFIER, make_spec
from conftest import StartTraining

from huggingface_service.data import EpochSampler
from trainer_kit.testing.standalone_trainer import KillAt, StandaloneTrainer, state_of, stop_at
from trainer_kit.trainer import TrainingError
from trainer_kit.trainer.main import TrainerInputs
from trainer_kit.trainer.messages import Message
from vision_contracts import Finished, TaskType

PLAIN = {"optimizer": "sgd", "learning_rate": 0.01, "epochs": 2}


@pytest.fixture
def pair(tmp_path: Path, colors: Path) -> Callable[..., StandaloneTrainer]:
    """`pair(model_name=…, params=…, hyperparameters=…)`: two processes, ready to train."""

    def make(
        data: Path = colors,
        model_name: str = CLASSIFIER,
        task_type: TaskType = TaskType.IMAGE_CLASSIFICATION,
        resume_from: Path | None = None,
        watch: Callable[[StandaloneTrainer, Message], None] = lambda _trainer, _message: None,
        *,
        params: dict[str, Any],
        hyperparameters: dict[str, Any],
    ) -> StandaloneTrainer:
        state = state_of(resume_from) if resume_from else None
        spec = make_spec(model_name, data, task_type, "scratch", {"num_devices": 2, **params})
        changes = {"job_uid": uuid4(), "hyperparameters": {"image_size": 32, **hyperparameters}}
        inputs = TrainerInputs(
            "huggingface_service.adapter:adapter",
            dataset=data,
            resume_from=resume_from,
            resume_state=state,
        )
        return StandaloneTrainer(tmp_path / "pairs", spec.model_copy(update=changes), inputs, watch)

    return make


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["model"]


@pytest.mark.parametrize(
    ("model_name", "task_type", "values"),
    [
        ("facebook/deit-tiny-patch16-224", TaskType.IMAGE_CLASSIFICATION, ("train/loss", "val/loss", "val/accuracy")),
        pytest.param(
            "hustvl/yolos-tiny", TaskType.OBJECT_DETECTION, ("train/loss", "val/loss", "val/map50_95"),
            marks=pytest.mark.thorough,
        ),
    ],
)  # fmt: skip
def test_two_processes_learn_what_one_learns_with_batches_of_both(
    attempt: StartTraining,
    pair: Callable[..., StandaloneTrainer],
    request: pytest.FixtureRequest,
    model_name: str,
    task_type: TaskType,
    values: tuple[str, ...],
) -> None:
    """A detector's loss is a mean over the objects of its own process's images, of which each has one here."""
    data = request.getfixturevalue("colors" if task_type is TaskType.IMAGE_CLASSIFICATION else "squares")
    job = {"data": data, "model_name": model_name, "task_type": task_type}
    one = attempt(**job, params={**PLAIN, "batch_size": 4}, hyperparameters={"momentum": 0.0}).run()
    settings = {"momentum": 0.0, "accumulation_steps": 2}
    two = pair(**job, params={**PLAIN, "batch_size": 1}, hyperparameters=settings).run()
    assert two.messages_of(Finished), two.output
    for name in values:
        assert two.series(name) == pytest.approx(one.points(name), abs=1e-4)
    step = max(one.points("train/loss"))
    theirs, ours = weights(one.checkpoint(step)), weights(two.checkpoint(step))
    assert theirs.keys() == ours.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, atol=1e-5, rtol=1e-4)


@pytest.mark.thorough
def test_a_pair_that_is_stopped_goes_on_at_that_very_step(pair: Callable[..., StandaloneTrainer]) -> None:
    job: dict[str, Any] = {"params": {"epochs": 6, "batch_size": 3}, "hyperparameters": {}}
    whole = pair(**job).run()
    stopped = pair(**job, watch=stop_at(2)).run()
    done = max(stopped.series("train/loss"))
    assert (stopped.exit_code, stopped.output) == (0, "")
    assert 2 <= done < 18
    resumed = pair(**job, resume_from=stopped.checkpoint(done)).run()
    assert list(resumed.series("train/loss")) == list(range(done + 1, 19))
    ours, theirs = weights(resumed.checkpoint(18)), weights(whole.checkpoint(18))
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


@pytest.mark.thorough  # the kit ends the processes; timm's tests always see it
def test_a_process_that_is_killed_takes_the_other_with_it_at_once(pair: Callable[..., StandaloneTrainer]) -> None:
    kill = KillAt(step=2, rank=1)
    kill.check(pair(params={"epochs": 1000, "batch_size": 3}, hyperparameters={}, watch=kill).run())


def test_processes_share_an_epoch_out_evenly() -> None:
    first, second = (list(EpochSampler(7, seed=3, rank=rank, world_size=2)) for rank in (0, 1))
    assert [first[0], second[0], first[1], second[1], first[2], second[2]] == list(EpochSampler(7, seed=3))[:6]
    assert len(first) == len(second) == len(EpochSampler(7, seed=3, world_size=2)) == 3


def test_gpus_that_are_not_there_are_refused(attempt: StartTraining) -> None:
    with pytest.raises(TrainingError, match="num_devices: this machine has 0 of 2 GPUs"):
        attempt(params={"num_devices": 2, "device": "auto"}).run()
