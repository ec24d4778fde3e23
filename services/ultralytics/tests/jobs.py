"""Drives a trainer as the kit does, in this process, and keeps what it tells."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.catalog import load_catalog
from trainer_kit.trainer import TrainingRun
from trainer_kit.trainer.main import TrainerInputs, prepare, run_attempt
from trainer_kit.trainer.messages import FileReport, Message
from ultralytics_service.adapter import adapter
from vision_contracts import (
    CheckpointRef,
    DatasetRef,
    EvaluationReport,
    Failed,
    JobSpec,
    Log,
    StopRequest,
    TrainingParams,
)

CARDS = load_catalog(adapter.catalog_file).cards
PARAMS = {"epochs": 1, "batch_size": 4, "learning_rate": 0.001, "optimizer": "adamw", "device": "cpu", "seed": 3}


@dataclass
class Attempt:
    """One attempt: its messages, and the files that a runner would have stored."""

    folder: Path
    stop_after_epoch: int | None = None
    messages: list[Message] = field(default_factory=list)
    exit_code: int | None = None

    def receive(self, message: Message) -> None:
        """Stores files at once, and asks for a stop when it is time."""
        self.messages.append(message)
        if isinstance(message, FileReport):
            stored = self.folder / "stored" / message.name
            stored.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.folder / message.path, stored)
            if message.state_path is not None:
                shutil.move(self.folder / message.state_path, stored.with_suffix(".state"))
            if message.epoch is not None and message.epoch == self.stop_after_epoch:
                (self.folder / "stop.json").write_text(StopRequest(attempt=1).model_dump_json())

    def of_type(self, name: str) -> list[Any]:
        return [message for message in self.messages if message.type == name]

    def values(self, name: str) -> dict[int, float]:
        """A metric by step."""
        return {m.step: m.values[name] for m in self.of_type("metrics") if name in m.values}

    @property
    def checkpoint(self) -> Path:
        return self.folder / "stored" / "checkpoints" / "last.pt"

    @property
    def report(self) -> EvaluationReport:
        return EvaluationReport.model_validate_json((self.folder / "stored" / "report.json").read_bytes())

    @property
    def failure(self) -> Failed:
        logs = "\n".join(message.message for message in self.messages if isinstance(message, Log))
        assert self.of_type("failed"), f"It did not fail. {logs}"
        return self.of_type("failed")[0]


def state_of(checkpoint: Path | None) -> Path | None:
    """Return the training state that is kept beside a checkpoint; None if it is trimmed."""
    state = checkpoint.with_suffix(".state") if checkpoint is not None else None
    return state if state is not None and state.exists() else None


def run_job(
    folder: Path,
    model_name: str,
    dataset: Path,
    *,
    hyperparameters: dict[str, Any] | None = None,
    initial_weights: Any = "scratch",
    resume_from: Path | None = None,
    best_checkpoint: Path | None = None,
    initial_checkpoint: Path | None = None,
    stop_after_epoch: int | None = None,
    **params: Any,
) -> Attempt:
    """Trains with charts off, which cost more than the training here."""
    weights = initial_checkpoint or initial_weights
    _write_spec(folder, make_spec(folder, model_name, dataset, hyperparameters, weights, params))
    attempt = Attempt(folder, stop_after_epoch)
    inputs = TrainerInputs(
        "ultralytics_service.adapter:adapter",
        dataset,
        resume_from=resume_from,
        resume_state=state_of(resume_from),
        best_checkpoint=best_checkpoint,
        initial_checkpoint=initial_checkpoint,
    )
    attempt.exit_code = run_attempt(AttemptFolder(folder), inputs, attempt.receive)
    return attempt


def make_run(folder: Path, model_name: str, dataset: Path, **hyperparameters: Any) -> TrainingRun[Any]:
    """Inputs that a trainer would be given."""
    _write_spec(folder, make_spec(folder, model_name, dataset, hyperparameters, "scratch", {}))
    inputs = TrainerInputs("ultralytics_service.adapter:adapter", dataset)
    return prepare(AttemptFolder(folder), inputs, lambda _: None)[0]


def _write_spec(folder: Path, spec: JobSpec) -> None:
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(spec.model_dump_json())


def make_spec(
    folder: Path,
    model_name: str,
    dataset: Path,
    hyperparameters: dict[str, Any] | None,
    weights: Any,
    params: dict[str, Any],
) -> JobSpec:
    """A job as the platform would request it."""
    return JobSpec(
        job_uid=uuid4(),
        attempt=1,
        framework=adapter.framework,
        model_name=model_name,
        task_type=CARDS[model_name].task_types[0],
        dataset=DatasetRef(uri=dataset.as_uri()),
        output_uri=(folder / "output").as_uri(),
        initial_weights=CheckpointRef(uri=weights.as_uri()) if isinstance(weights, Path) else weights,
        params=TrainingParams(**PARAMS | params),
        hyperparameters={"plots": False} | (hyperparameters or {}),
    )
