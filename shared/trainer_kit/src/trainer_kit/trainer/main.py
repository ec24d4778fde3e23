"""The trainer process: one attempt of a training or an operation, from its spec to its exit code."""

import argparse
import faulthandler
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from data_kit import Dataset, open_dataset
from trainer_kit.adapter import Adapter, entry_point
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.catalog import CatalogError, load_catalog
from trainer_kit.hyperparameters import max_devices
from trainer_kit.imports import import_adapter, import_attribute
from trainer_kit.trainer.channel import Channel
from trainer_kit.trainer.errors import Stopped, TrainingError
from trainer_kit.trainer.failures import report_failure
from trainer_kit.trainer.messages import Message
from trainer_kit.trainer.operation_run import OperationRun
from trainer_kit.trainer.preflight import PreflightRun, as_preflight
from trainer_kit.trainer.replicas import run_replicas
from trainer_kit.trainer.run import TrainingRun
from vision_contracts import EndReason, Failed, Finished, JobKind, JobSpec, ModelCard, PredictOperation

Run = TrainingRun[BaseModel] | OperationRun[BaseModel]
EntryPoint = Callable[[Any], None]

_TRAININGS: dict[JobKind, type[TrainingRun[BaseModel]]] = {
    JobKind.TRAIN: TrainingRun,
    JobKind.PREFLIGHT: PreflightRun,
}


PATHS = ("dataset", "resume_from", "resume_state", "best_checkpoint", "initial_checkpoint", "images")


@dataclass(frozen=True)
class TrainerInputs:
    """The adapter, and local copies of the inputs that the runner has fetched. They are command line arguments, which
    `ps` shows.
    """

    adapter: str
    dataset: Path | None = None
    resume_from: Path | None = None
    resume_state: Path | None = None
    best_checkpoint: Path | None = None
    initial_checkpoint: Path | None = None
    images: Path | None = None

    def arguments(self, channel_fd: int) -> list[str]:
        paths = {name: getattr(self, name) for name in PATHS}
        given = [part for name, path in paths.items() if path for part in (_option(name), str(path))]
        return ["--channel", str(channel_fd), "--adapter", self.adapter, *given]


def main(arguments: list[str] | None = None) -> int:
    """Run an attempt in its folder, the working directory, with the runner at the other end of `--channel`. Return the
    exit code.
    """
    parser = argparse.ArgumentParser(prog="trainer_kit.trainer", description="Runs one attempt of one job.")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--adapter", required=True)
    for name in PATHS:
        parser.add_argument(_option(name), type=Path)
    options = parser.parse_args(arguments)
    inputs = TrainerInputs(options.adapter, **{name: getattr(options, name) for name in PATHS})
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Channel(options.channel)
    channel.exit_with_reader()
    return run_attempt(AttemptFolder(Path.cwd()), inputs, channel.send)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def run_attempt(folder: AttemptFolder, inputs: TrainerInputs, send: Callable[[Message], None]) -> int:
    """Run an attempt, report its failure if it fails, and return the exit code: 0 if it has finished, or stopped on
    request.
    """
    has_finished, run = False, None

    def send_and_watch(message: Message) -> None:
        nonlocal has_finished
        has_finished = has_finished or isinstance(message, Finished)
        send(message)

    try:
        run, entry = prepare(folder, inputs, send_and_watch)
        if run.spec.params.num_devices > 1 and isinstance(run, TrainingRun):
            run_replicas(run, entry, send_and_watch)
        else:
            entry(run)
    except Stopped:
        if folder.read_stop() is not None:
            return 0
        send(Failed(reason=EndReason.INTERNAL, message="The trainer stopped without a request to stop."))
        return 1
    except BaseException as error:  # noqa: BLE001 - every failure is reported to the user
        report_failure(error, folder.path, send, run.device_batch_size if run is not None else None)
        return 1
    if not has_finished:
        send(Failed(reason=EndReason.INTERNAL, message="The trainer returned without reporting that it has finished."))
    return 0 if has_finished else 1


def prepare(folder: AttemptFolder, inputs: TrainerInputs, send: Callable[[Message], None]) -> tuple[Run, EntryPoint]:
    """Return the run and the entry point to call with it. Everything that is cheap to check is checked before the
    framework is imported, which takes seconds.

    Raises TrainingError and DatasetError.
    """
    spec = folder.read_spec()
    adapter = import_adapter(inputs.adapter)
    card = _find_card(adapter, spec)
    name = entry_point(adapter, spec.kind)
    if name is None:
        raise TrainingError(EndReason.BAD_HYPERPARAMETERS, f"{spec.framework} does not support {spec.kind}.")
    common: dict[str, Any] = {
        "spec": spec,
        "card": card,
        "hyperparameters": _validate_hyperparameters(adapter, card, spec),
        "dataset": _open_dataset(inputs, spec),
        "folder": folder.path,
        "send": send,
        "gpus": folder.read_gpus(),
    }
    if spec.kind not in _TRAININGS:
        operation = OperationRun(**common, checkpoint=_checkpoint(inputs), images=_images(inputs, spec))
        return operation, import_attribute(name)
    checkpoints = {name: getattr(inputs, name) for name in PATHS if name not in ("dataset", "images")}
    run = _TRAININGS[spec.kind](**common, **checkpoints)
    return run, import_attribute(name) if spec.kind is JobKind.TRAIN else as_preflight(import_attribute(name))


def _open_dataset(inputs: TrainerInputs, spec: JobSpec) -> Dataset | None:
    if inputs.dataset is None:
        return None
    return open_dataset(inputs.dataset, format=spec.dataset.format, task_type=spec.task_type, seed=spec.params.seed)


def _checkpoint(inputs: TrainerInputs) -> Path:
    if inputs.initial_checkpoint is None:
        raise TrainingError(EndReason.WEIGHTS_UNAVAILABLE, "No checkpoint is named (`initial_weights`).")
    return inputs.initial_checkpoint


def _images(inputs: TrainerInputs, spec: JobSpec) -> list[Path]:
    if inputs.images is None or not isinstance(spec.work, PredictOperation):
        return []
    return [inputs.images / str(number) for number in range(len(spec.work.images))]


def _find_card(adapter: Adapter, spec: JobSpec) -> ModelCard:
    try:
        catalog = load_catalog(adapter.catalog_file)
    except CatalogError as error:
        raise TrainingError(EndReason.INTERNAL, str(error)) from error
    card = catalog.cards.get(spec.model_name)
    if card is None:
        message = f"{spec.framework} has no model {spec.model_name!r} any more. Choose another one."
        raise TrainingError(EndReason.BAD_HYPERPARAMETERS, message)
    most = max_devices(catalog.models.schemas[card.hyperparameters_ref])
    if spec.params.num_devices > most:
        message = f"num_devices: {spec.framework} trains on {most} at most, not on {spec.params.num_devices}."
        raise TrainingError(EndReason.BAD_HYPERPARAMETERS, message)
    return card


def _validate_hyperparameters(adapter: Adapter, card: ModelCard, spec: JobSpec) -> BaseModel:
    try:
        return adapter.hyperparameters(card).model_validate(spec.hyperparameters)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(["hyperparameters", *(str(part) for part in first["loc"])])
        raise TrainingError(EndReason.BAD_HYPERPARAMETERS, f"{field}: {first['msg']}.") from error
