"""A training without a runner: what the trainer says is kept in a list, the files that it hands over in its folder."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from data_kit import open_dataset
from huggingface_service.adapter import adapter
from huggingface_service.train import train
from trainer_kit.catalog import load_catalog
from trainer_kit.trainer import TrainingRun
from trainer_kit.trainer.messages import FileReport, Message
from vision_contracts import (
    ArtifactKind,
    CheckpointRef,
    DatasetRef,
    EvaluationReport,
    Finished,
    JobSpec,
    Log,
    Metrics,
    Started,
    TaskType,
    TrainingParams,
)

CLASSIFIER = "google/mobilenet_v2_0.35_96"
"""Small, with batch norms and dropout: what a resumed training must get right."""

CARDS = load_catalog(adapter.catalog_file).cards


def make_spec(model_name: str, data: Path, task_type: TaskType, weights: Any, params: dict[str, Any]) -> JobSpec:
    defaults = {"epochs": 1, "batch_size": 4, "learning_rate": 1e-3, "optimizer": "adamw", "device": "cpu"}
    return JobSpec(
        job_uid=UUID(int=1),
        attempt=1,
        framework="huggingface",
        model_name=model_name,
        task_type=task_type,
        dataset=DatasetRef(uri=data.as_uri()),
        output_uri="file:///unused",
        initial_weights=weights,
        params=TrainingParams(**{**defaults, **params}),
    )


def state_of(checkpoint: Path) -> Path:
    """Return where the training state of a checkpoint is kept."""
    return checkpoint.with_suffix(".state")


def existing_state_of(checkpoint: Path | None) -> Path | None:
    """Return the training state of a checkpoint to resume from; None if it is trimmed."""
    return state_of(checkpoint) if checkpoint is not None and state_of(checkpoint).exists() else None


@dataclass
class Attempt:
    """One training in `folder`. What it says comes to `watch` too, which may make it stop."""

    folder: Path
    data: Path
    model_name: str = CLASSIFIER
    task_type: TaskType = TaskType.IMAGE_CLASSIFICATION
    resume_from: Path | None = None
    best_checkpoint: Path | None = None
    initial_checkpoint: Path | None = None
    initial_weights: str = "scratch"
    params: dict[str, Any] = field(default_factory=dict)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    watch: Callable[["Attempt", Message], None] = lambda _attempt, _message: None
    said: list[Message] = field(default_factory=list)

    def make_run(self) -> TrainingRun[Any]:
        """Inputs that a trainer process would be given."""
        weights = CheckpointRef(uri=self.initial_checkpoint.as_uri()) if self.initial_checkpoint else None
        spec = make_spec(self.model_name, self.data, self.task_type, weights or self.initial_weights, self.params)
        card = CARDS[self.model_name]
        self.folder.mkdir(parents=True)
        return TrainingRun(
            spec=spec,
            card=card,
            hyperparameters=adapter.hyperparameters(card).model_validate({"image_size": 32, **self.hyperparameters}),
            dataset=open_dataset(self.data, task_type=self.task_type, seed=spec.params.seed),
            folder=self.folder,
            send=self.receive,
            resume_from=self.resume_from,
            resume_state=existing_state_of(self.resume_from),
            best_checkpoint=self.best_checkpoint,
            draws_pictures=False,
            initial_checkpoint=self.initial_checkpoint,
        )

    def run(self) -> "Attempt":
        """Trains. Raises what the trainer raises."""
        train(self.make_run())
        return self

    def receive(self, message: Message) -> None:
        self.said.append(message)
        if isinstance(message, FileReport):
            is_checkpoint = message.kind is ArtifactKind.CHECKPOINT
            target = self.checkpoint(message.step) if is_checkpoint else self.folder / "stored" / message.name
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.folder / message.path).rename(target)
            if message.state_path is not None:
                (self.folder / message.state_path).rename(state_of(target))
        self.watch(self, message)

    def stop(self) -> None:
        """Stop as the runner requests it."""
        (self.folder / "stop.json").write_text(json.dumps({"attempt": 1, "mode": "stop"}))

    def checkpoint(self, step: int | None) -> Path:
        return self.folder / f"step-{step}.pt"

    def points(self, name: str) -> dict[int, float | None]:
        return {said.step: said.values[name] for said in self.said if isinstance(said, Metrics) and name in said.values}

    @property
    def started(self) -> Started:
        return next(said for said in self.said if isinstance(said, Started))

    @property
    def log(self) -> str:
        return "\n".join(said.message for said in self.said if isinstance(said, Log))

    @property
    def checkpoints(self) -> list[FileReport]:
        files = [said for said in self.said if isinstance(said, FileReport)]
        return [file for file in files if file.kind is ArtifactKind.CHECKPOINT]

    @property
    def report(self) -> EvaluationReport:
        return EvaluationReport.model_validate_json((self.folder / "stored" / "report.json").read_bytes())

    @property
    def final(self) -> dict[str, float | None] | None:
        return next((said.values for said in self.said if isinstance(said, Finished)), None)
