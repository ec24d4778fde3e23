"""Drawn shapes to learn, and trainings that run in this process without a runner."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from PIL import Image, ImageDraw

from data_kit import Dataset, open_dataset
from timm_service.adapter import adapter
from timm_service.build import Run
from timm_service.train import train
from trainer_kit.catalog import load_catalog
from trainer_kit.trainer.messages import FileReport, Message
from vision_contracts import (
    ArtifactKind,
    DatasetRef,
    EvaluationReport,
    JobSpec,
    Log,
    Metrics,
    ModelCard,
    TaskType,
    TrainingParams,
)

torch.set_num_threads(1)

SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, list[int]], None]] = {
    "circle": lambda draw, box: draw.ellipse(box, fill="red"),
    "cross": lambda draw, box: draw.line([*box[:2], *box[2:], box[0], box[3], box[2], box[1]], fill="green", width=5),
    "square": lambda draw, box: draw.rectangle(box, fill="blue"),
}


def draw_shapes(root: Path, *, train: int, val: int, classes: tuple[str, ...] = tuple(SHAPES)) -> Path:
    chance = random.Random(0)
    for split, count in (("train", train), ("val", val)):
        for name in classes:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (40, 40), "white")
                left, top = chance.randrange(2, 12), chance.randrange(2, 12)
                SHAPES[name](ImageDraw.Draw(image), [left, top, left + 24, top + 24])
                image.save(folder / f"{number}.png")
    return root


def state_of(checkpoint: Path) -> Path:
    """Return where the training state of a checkpoint is kept."""
    return checkpoint.with_suffix(".state")


@dataclass
class Training:
    """A run and all that it has told. Files are kept as a runner would keep them."""

    run: Run
    messages: list[Message] = field(default_factory=list)
    checkpoints: list[Path] = field(default_factory=list)
    artifacts: dict[str, bytes] = field(default_factory=dict)

    def receive(self, message: Message) -> None:
        self.messages.append(message)
        if isinstance(message, FileReport) and message.kind is ArtifactKind.CHECKPOINT:
            kept = self.run.folder / f"kept-{len(self.checkpoints)}.pt"
            self.checkpoints.append((self.run.folder / message.path).rename(kept))
            assert message.state_path is not None
            (self.run.folder / message.state_path).rename(state_of(kept))
        elif isinstance(message, FileReport):
            self.artifacts[message.name] = (self.run.folder / message.path).read_bytes()
            (self.run.folder / message.path).unlink()

    def train(self) -> "Training":
        train(self.run)
        return self

    def series(self, name: str) -> dict[int, float | None]:
        """Value by step."""
        metrics = [message for message in self.messages if isinstance(message, Metrics)]
        return {message.step: message.values[name] for message in metrics if name in message.values}

    @property
    def report(self) -> EvaluationReport:
        return EvaluationReport.model_validate_json(self.artifacts["report.json"])

    @property
    def log(self) -> str:
        return "\n".join(message.message for message in self.messages if isinstance(message, Log))


StartTraining = Callable[..., Training]
"""The value of the fixture `training`: `training(model_name, params={…}, **hyperparameters)`, ready to train."""


def open_shapes(root: Path) -> Dataset:
    return open_dataset(root, task_type=TaskType.IMAGE_CLASSIFICATION)


def get_card(name: str) -> ModelCard:
    return load_catalog(adapter.catalog_file).cards[name]


def make_spec(card: ModelCard, initial_weights: Any, params: dict[str, Any]) -> JobSpec:
    return JobSpec(
        job_uid=uuid4(),
        attempt=1,
        framework="timm",
        model_name=card.model_name,
        task_type=TaskType.IMAGE_CLASSIFICATION,
        dataset=DatasetRef(uri="file:///unused"),
        output_uri="file:///unused",
        initial_weights=initial_weights,
        params=TrainingParams(
            **{"epochs": 2, "batch_size": 8, "learning_rate": 2e-3, "optimizer": "adamw", "device": "cpu", **params}
        ),
    )
