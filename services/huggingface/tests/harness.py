"""A training without a runner: what the trainer says is kept in a list."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from data_kit import open_dataset
from huggingface_service.adapter import adapter
from huggingface_service.architectures import find_architecture
from trainer_kit.trainer import TrainingRun
from trainer_kit.trainer.messages import FileReport, Message
from vision_contracts import (
    CheckpointRef,
    DatasetRef,
    Finished,
    JobSpec,
    Log,
    Metrics,
    ModelCard,
    TaskType,
    TrainingParams,
)


def card_of(model_name: str) -> ModelCard:
    architecture = find_architecture(model_name)
    ref = "detection" if TaskType.OBJECT_DETECTION in architecture.task_types else "labeling"
    return ModelCard(
        framework="huggingface",
        model_name=model_name,
        display_name=model_name,
        description="",
        family="test",
        task_types=list(architecture.task_types),
        params=1,
        input_size=224,
        recommended_batch_size=8,
        recommended_lr=1e-3,
        hyperparameters_ref=ref,
    )


@dataclass
class Attempt:
    """One training in `folder`, and what it said."""

    folder: Path
    said: list[Message] = field(default_factory=list)

    def train(
        self,
        model_name: str,
        data: Path,
        task_type: TaskType = TaskType.IMAGE_CLASSIFICATION,
        *,
        hyperparameters: dict[str, Any] | None = None,
        resume_from: Path | None = None,
        initial_checkpoint: Path | None = None,
        initial_weights: str = "scratch",
        watch: Callable[[Message], None] = lambda _: None,
        **params: Any,
    ) -> "Attempt":
        from huggingface_service.train import train

        self.folder.mkdir(exist_ok=True, parents=True)
        defaults = {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3, "optimizer": "adamw", "device": "cpu"}
        weights: Any = CheckpointRef(uri=initial_checkpoint.as_uri()) if initial_checkpoint else initial_weights
        spec = JobSpec(
            job_uid=UUID(int=1),
            attempt=1,
            framework="huggingface",
            model_name=model_name,
            task_type=task_type,
            dataset=DatasetRef(uri=data.as_uri()),
            output_uri="file:///unused",
            initial_weights=weights,
            params=TrainingParams(**{**defaults, **params}),
            hyperparameters=hyperparameters or {},
        )
        card = card_of(model_name)

        def send(message: Message) -> None:
            self.said.append(message)
            if isinstance(message, FileReport):
                posted = self.folder / message.path
                posted.rename(self.folder / f"step-{message.step}.pt")
            watch(message)

        train(
            TrainingRun(
                spec=spec,
                card=card,
                hyperparameters=adapter.hyperparameters(card).model_validate(spec.hyperparameters),
                dataset=open_dataset(data, task_type=task_type, seed=spec.params.seed),
                folder=self.folder,
                send=send,
                resume_from=resume_from,
                initial_checkpoint=initial_checkpoint,
            )
        )
        return self

    def points(self, name: str) -> list[float | None]:
        return [said.values[name] for said in self.said if isinstance(said, Metrics) and name in said.values]

    @property
    def logs(self) -> list[str]:
        return [said.message for said in self.said if isinstance(said, Log)]

    @property
    def checkpoints(self) -> list[FileReport]:
        return [said for said in self.said if isinstance(said, FileReport)]

    @property
    def final(self) -> dict[str, float | None]:
        return next(said.values for said in self.said if isinstance(said, Finished))
