"""Every ending that a service can tell says what its user can do. (The backend's own are in its tests.)"""

import errno
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_kit import open_store
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.evaluation import History
from trainer_kit.inference.exporting import compare
from trainer_kit.runner.dataset_cache import DatasetCache
from trainer_kit.runner.ending import TrainerOutcome, decide_ending
from trainer_kit.runner.inputs import InputFetcher
from trainer_kit.testing.fake_adapter import ADAPTER_PATH, FakeHyperparameters
from trainer_kit.testing.fake_operations import FakeNetwork, export, load_network
from trainer_kit.testing.fake_train import Model
from trainer_kit.testing.specs import changed
from trainer_kit.trainer import OperationRun, TrainingRun
from trainer_kit.trainer.failures import describe_failure
from trainer_kit.trainer.main import TrainerInputs, prepare
from vision_contracts import EndReason, Failed, metric_names

SAYS_WHAT_TO_DO = re.compile(
    r"\b(choose|free|give|input should|label|look|lower|put|report|retry|set|train|upload|use)\b", re.IGNORECASE
)


def run_of(folder: AttemptFolder, dataset: Path) -> TrainingRun[FakeHyperparameters]:
    run, _ = prepare(folder, TrainerInputs(ADAPTER_PATH, dataset), lambda _message: None)
    return run  # type: ignore[return-value]


def fetch(folder: AttemptFolder, tmp_path: Path, **changes: object) -> None:
    store = open_store((tmp_path / "storage").as_uri())
    fetcher = InputFetcher(folder, store, DatasetCache(tmp_path / "cache", 0))
    fetcher.fetch("", changed(folder.read_spec(), **changes))


def raise_nan_loss(folder: AttemptFolder, dataset: Path, _tmp_path: Path) -> None:
    run = run_of(folder, dataset)
    run.start(device="cpu", num_classes=3, steps_per_epoch=1)
    run.report_step(1, {metric_names.TRAIN_LOSS: float("nan")})


def raise_bad_hyperparameters(folder: AttemptFolder, dataset: Path, _tmp_path: Path) -> None:
    spec = folder.read_spec()
    folder.spec_file.write_text(changed(spec, hyperparameters={"step_seconds": -1}).model_dump_json())
    run_of(folder, dataset)


def raise_bad_device(folder: AttemptFolder, dataset: Path, _tmp_path: Path) -> None:
    folder.spec_file.write_text(changed(folder.read_spec(), device="cuda:7").model_dump_json())
    run_of(folder, dataset).choose_device(cuda_devices=1, has_mps=False)


def raise_bad_data(folder: AttemptFolder, _dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    run_of(folder, tmp_path / "empty")


def raise_lost_data(folder: AttemptFolder, _dataset: Path, tmp_path: Path) -> None:
    fetch(folder, tmp_path, dataset={"uri": f"{(tmp_path / 'storage').as_uri()}/datasets/gone.zip"})


def raise_foreign_data(folder: AttemptFolder, _dataset: Path, tmp_path: Path) -> None:
    fetch(folder, tmp_path, dataset={"uri": "s3://elsewhere/a.zip"})


def raise_lost_weights(folder: AttemptFolder, _dataset: Path, tmp_path: Path) -> None:
    fetch(folder, tmp_path, resume_from_uri=f"{(tmp_path / 'storage').as_uri()}/gone.pt")


def raise_out_of_memory(_folder: AttemptFolder, _dataset: Path, _tmp_path: Path) -> None:
    raise MemoryError


def raise_full_disk(_folder: AttemptFolder, _dataset: Path, _tmp_path: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def raise_defect(_folder: AttemptFolder, _dataset: Path, _tmp_path: Path) -> None:
    raise KeyError("x")


def export_of(folder: AttemptFolder, dataset: Path, format: str) -> tuple[OperationRun[Any], FakeNetwork]:
    """An export of a model that has not learnt anything."""
    work = {"kind": "export", "format": format}
    folder.spec_file.write_text(changed(folder.read_spec(), kind="export", work=work).model_dump_json())
    checkpoint = folder.path / "untrained.npz"
    Model(np.zeros((8 * 8 * 3 + 1, 3)), np.zeros(1), class_names=("a", "b", "c")).save(
        checkpoint, History("val/accuracy")
    )
    inputs = TrainerInputs(ADAPTER_PATH, dataset, initial_checkpoint=checkpoint)
    run, _ = prepare(folder, inputs, lambda _message: None)
    assert isinstance(run, OperationRun)
    return run, load_network(run)


def raise_export_not_supported(folder: AttemptFolder, dataset: Path, _tmp_path: Path) -> None:
    export(export_of(folder, dataset, "torchscript")[0])


def raise_export_mismatch(folder: AttemptFolder, dataset: Path, _tmp_path: Path) -> None:
    run, network = export_of(folder, dataset, "onnx")
    compare(run, network, lambda pixels: {name: value + 0.01 for name, value in network.run(pixels).items()})


def raise_export_without_numbers(folder: AttemptFolder, dataset: Path, _tmp_path: Path) -> None:
    run, network = export_of(folder, dataset, "onnx")
    compare(run, network, lambda pixels: {name: value * np.nan for name, value in network.run(pixels).items()})


Raise = Callable[[AttemptFolder, Path, Path], None]

RAISED: list[tuple[Raise, EndReason]] = [
    (raise_nan_loss, EndReason.NAN_LOSS),
    (raise_bad_hyperparameters, EndReason.BAD_HYPERPARAMETERS),
    (raise_bad_device, EndReason.BAD_HYPERPARAMETERS),
    (raise_bad_data, EndReason.BAD_DATA),
    (raise_lost_data, EndReason.BAD_DATA),
    (raise_foreign_data, EndReason.BAD_DATA),
    (raise_lost_weights, EndReason.WEIGHTS_UNAVAILABLE),
    (raise_out_of_memory, EndReason.OUT_OF_MEMORY),
    (raise_full_disk, EndReason.DISK_FULL),
    (raise_defect, EndReason.INTERNAL),
    (raise_export_not_supported, EndReason.EXPORT_NOT_SUPPORTED),
    (raise_export_mismatch, EndReason.EXPORT_MISMATCH),
    (raise_export_without_numbers, EndReason.EXPORT_MISMATCH),
]

REPORTED_BY_THE_BACKEND = {reason for reason in EndReason if reason.is_retried} | {
    EndReason.STOPPED_BY_USER, EndReason.TIMED_OUT, EndReason.KIND_NOT_SUPPORTED,
}  # fmt: skip
"""Reasons whose messages the backend writes: it knows about retries, and about the services' kinds."""


@pytest.mark.parametrize(("go_wrong", "reason"), RAISED)
def test_what_goes_wrong_in_a_trainer_says_what_to_do(
    go_wrong: Raise, reason: EndReason, folder: AttemptFolder, dataset_path: Path, tmp_path: Path
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of every kind
        go_wrong(folder, dataset_path, tmp_path)
    failure = describe_failure(caught.value, tmp_path, 8)
    assert failure.reason is reason
    assert SAYS_WHAT_TO_DO.search(failure.message), failure.message


def test_every_reason_is_in_the_table() -> None:
    assert {reason for _, reason in RAISED} | REPORTED_BY_THE_BACKEND == set(EndReason)


@pytest.mark.parametrize("outcome", [TrainerOutcome(-signal.SIGKILL, None, oom_kills=1), TrainerOutcome(3, None)])
def test_a_death_without_a_word_says_what_to_do(outcome: TrainerOutcome) -> None:
    ending = decide_ending(outcome)
    assert isinstance(ending, Failed)
    assert SAYS_WHAT_TO_DO.search(ending.message), ending.message
