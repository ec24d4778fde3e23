"""Two processes that train one network on the CPU, as two GPUs would."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from trainings import StartTraining, get_card, make_spec

from timm_service.data import Batches
from trainer_kit.testing.standalone_trainer import KillAt, StandaloneTrainer, state_of, stop_at
from trainer_kit.trainer import TrainingError
from trainer_kit.trainer.main import TrainerInputs
from trainer_kit.trainer.messages import Message
from vision_contracts import EndReason, Finished, Log, Started, metric_names

ADAPTER = "timm_service.adapter:adapter"
PLAIN = {"optimizer": "sgd", "learning_rate": 0.05, "epochs": 2}
"""Every step is a mean over its images, and nothing else."""


@pytest.fixture
def pair(shapes: Path, tmp_path: Path) -> Callable[..., StandaloneTrainer]:
    """`pair(model, params=…, <hyperparameter>=…)`: two processes, ready to train."""

    def make(
        model_name: str = "test_resnet",
        *,
        dataset: Path = shapes,
        resume_from: Path | None = None,
        watch: Callable[[StandaloneTrainer, Message], None] = lambda _trainer, _message: None,
        params: dict[str, Any],
        **hyperparameters: Any,
    ) -> StandaloneTrainer:
        state = state_of(resume_from) if resume_from else None
        spec = make_spec(get_card(model_name), "scratch", {"num_devices": 2, **params})
        spec = spec.model_copy(update={"hyperparameters": {"image_size": 32, **hyperparameters}})
        return StandaloneTrainer(
            tmp_path,
            spec,
            TrainerInputs(ADAPTER, dataset=dataset, resume_from=resume_from, resume_state=state),
            watch,
        )

    return make


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["model"]


def test_two_processes_learn_what_one_learns_with_batches_of_both(
    training: StartTraining, pair: Callable[..., StandaloneTrainer]
) -> None:
    one = training("test_vit", params={**PLAIN, "batch_size": 8}, momentum=0).train()
    two = pair("test_vit", params={**PLAIN, "batch_size": 2}, momentum=0, accumulation_steps=2).run()
    assert two.messages_of(Finished), two.output
    assert two.messages_of(Started)[0].device == "cpu"
    assert any("on each of 2 devices (4 images together)" in line.message for line in two.messages_of(Log))
    for name in (metric_names.TRAIN_LOSS, metric_names.VAL_LOSS, metric_names.VAL_ACCURACY):
        assert two.series(name) == pytest.approx(one.series(name), abs=1e-5)
    theirs, ours = weights(one.checkpoints[-1]), weights(two.checkpoint(6))
    assert theirs.keys() == ours.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, atol=1e-5, rtol=1e-4)


@pytest.mark.thorough
def test_a_pair_that_is_stopped_goes_on_at_that_very_step(pair: Callable[..., StandaloneTrainer]) -> None:
    settings = {"params": {"epochs": 6, "batch_size": 4}, "drop_rate": 0.2, "mixup": 0.3, "ema_decay": 0.9}
    whole = pair(**settings).run()
    stopped = pair(**settings, watch=stop_at(2)).run()
    done = max(stopped.series(metric_names.TRAIN_LOSS))
    assert (stopped.exit_code, stopped.output) == (0, "")
    assert 2 <= done < 18
    resumed = pair(**settings, resume_from=stopped.checkpoint(done)).run()
    assert list(resumed.series(metric_names.TRAIN_LOSS)) == list(range(done + 1, 19))
    ours, theirs = weights(resumed.checkpoint(18)), weights(whole.checkpoint(18))
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.thorough), 1])
def test_a_process_that_is_killed_takes_the_other_with_it_at_once(
    pair: Callable[..., StandaloneTrainer], rank: int
) -> None:
    kill = KillAt(step=2, rank=rank)
    kill.check(pair(params={"epochs": 1000, "batch_size": 4}, watch=kill).run())


@pytest.mark.thorough
def test_a_broken_image_is_named_whichever_process_reads_it(
    pair: Callable[..., StandaloneTrainer], shapes: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(shapes, tmp_path / "broken"))
    broken = root / "train" / "cross" / "2.png"
    broken.write_bytes(broken.read_bytes()[:-60])
    failed = pair(dataset=root, params={"epochs": 1, "batch_size": 4}).run()
    assert failed.exit_code == 1
    assert failed.failure.reason is EndReason.BAD_DATA
    assert failed.failure.message.startswith("train/cross/2.png: ")


@pytest.mark.parametrize("size", [23, 24])
def test_processes_share_an_epoch_out_in_equal_batches(size: int) -> None:
    def batches(batch_size: int, **place: int) -> list[list[tuple[int, int]]]:
        return list(Batches(size, batch_size, seed=5, shuffle=True, **place))

    first, second = (batches(4, rank=rank, world_size=2) for rank in (0, 1))
    assert [len(batch) for batch in first] == [len(batch) for batch in second]
    together = [sorted([*mine, *theirs]) for mine, theirs in zip(first, second, strict=True)]
    alone = [sorted(batch) for batch in batches(8)]
    assert together[:-1] == alone[:-1]
    assert sum(len(batch) for batch in together) == size // 2 * 2


def test_gpus_that_are_not_there_are_refused(training: StartTraining) -> None:
    with pytest.raises(TrainingError, match="num_devices: this machine has 0 of 2 GPUs") as caught:
        training(params={"num_devices": 2, "device": "auto"}).train()
    assert caught.value.reason is EndReason.BAD_HYPERPARAMETERS
