"""Operations on a checkpoint in this process, without a runner; published files are kept in a folder."""

from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.trainer.main import TrainerInputs, run_attempt
from trainer_kit.trainer.messages import FileReport, Message
from vision_contracts import (
    CheckpointRef,
    DatasetRef,
    Failed,
    Finished,
    ImageRef,
    JobSpec,
    Operation,
    PredictionReport,
    PredictOperation,
    TaskType,
    TrainingParams,
)


@dataclass
class FinishedOperation:
    """Messages and files of an operation."""

    folder: Path
    messages: list[Message] = field(default_factory=list[Message])
    files: dict[str, Path] = field(default_factory=dict[str, Path])

    def receive(self, message: Message) -> None:
        self.messages.append(message)
        if isinstance(message, FileReport):
            kept = self.folder / "kept" / message.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            self.files[message.name] = (self.folder / message.path).rename(kept)

    @property
    def failure(self) -> Failed:
        return next(message for message in self.messages if isinstance(message, Failed))

    @property
    def values(self) -> dict[str, float | None]:
        """Values of the finished operation. Raises AssertionError with the failure if it has failed."""
        failed = [message for message in self.messages if isinstance(message, Failed)]
        assert not failed, [message for message in self.messages if message.type in ("log", "failed")]
        return next(message.values for message in self.messages if isinstance(message, Finished))

    @property
    def report(self) -> PredictionReport:
        assert self.values == {}
        return PredictionReport.model_validate_json(self.files["predictions.json"].read_bytes())


def run_operation(
    adapter: Any,
    adapter_path: str,
    folder: Path,
    work: Operation,
    *,
    model_name: str,
    task_type: TaskType,
    checkpoint: Path,
    dataset: Path | None = None,
    images: Sequence[Path] = (),
    hyperparameters: dict[str, Any] | None = None,
) -> FinishedOperation:
    """Run one attempt of an operation."""
    folder.mkdir(parents=True)
    spec = JobSpec(
        kind=work.kind,  # pyright: ignore[reportArgumentType] - a name of the kind
        work=work,
        job_uid=uuid4(),
        attempt=1,
        framework=adapter.framework,
        model_name=model_name,
        task_type=task_type,
        dataset=DatasetRef(uri=(dataset or folder).as_uri()),
        output_uri=(folder / "output").as_uri(),
        initial_weights=CheckpointRef(uri=checkpoint.as_uri()),
        params=TrainingParams(epochs=1, batch_size=4, learning_rate=0.01, optimizer="sgd", device="cpu"),
        hyperparameters=hyperparameters or {},
    )
    (folder / "spec.json").write_text(spec.model_dump_json())
    operation = FinishedOperation(folder)
    copies = folder / "images"
    copies.mkdir()
    for number, image in enumerate(images):
        (copies / str(number)).write_bytes(image.read_bytes())
    inputs = TrainerInputs(adapter_path, dataset, initial_checkpoint=checkpoint, images=copies)
    with chdir(folder):
        run_attempt(AttemptFolder(folder), inputs, operation.receive)
    return operation


def predict_operation(images: Sequence[Path], **settings: Any) -> PredictOperation:
    """Return the settings of a prediction for these images."""
    return PredictOperation(images=[ImageRef(name=path.name, uri=path.as_uri()) for path in images], **settings)
