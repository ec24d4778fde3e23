"""The specification of an attempt, which the backend sends to a training service."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from vision_contracts.base import Message
from vision_contracts.operations import JobKind, Operation
from vision_contracts.tasks import DatasetFormat, TaskType

CONTRACT_VERSION = 1

Epochs = Annotated[int, Field(ge=1, le=100_000)]
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
LearningRate = Annotated[float, Field(gt=0, le=100)]
Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
NumDevices = Annotated[int, Field(ge=1, le=64)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class DatasetRef(Message):
    """The location of a data set. A version in the platform has a digest; a folder of a user has none."""

    uri: str = Field(description="`file:///…` of a folder that the service sees, or an archive in object storage.")
    format: DatasetFormat = DatasetFormat.AUTO
    digest: str | None = None


class CheckpointRef(Message):
    """Weights of an earlier job, to start from."""

    uri: str
    sha256: str | None = None


class TrainingParams(Message):
    """The settings that every framework has: the one list of them. All have a value before a job is sent.

    Those without a default have one in the model's card.
    """

    epochs: Epochs
    batch_size: BatchSize
    learning_rate: LearningRate
    optimizer: str
    device: Device = "auto"
    num_devices: NumDevices = 1
    seed: Seed = 0


NAMED_FIELDS = tuple(TrainingParams.model_fields)
"""Fields of a job that are never part of `hyperparameters`."""


class JobSpec(Message):
    """One attempt of one job, complete: a service needs nothing else to do it."""

    contract_version: int = CONTRACT_VERSION
    kind: JobKind = JobKind.TRAIN
    work: Operation | None = Field(default=None, description="The operation, unless it is training.")
    job_uid: UUID
    attempt: int = Field(ge=1)
    framework: str
    model_name: str
    task_type: TaskType
    dataset: DatasetRef
    output_uri: str = Field(description="Prefix in object storage that belongs to this attempt alone.")
    resume_from_uri: str | None = Field(default=None, description="The checkpoint to resume from, if any.")
    resume_state_uri: str | None = Field(
        default=None, description="The training state of `resume_from_uri`; null where that holds it or it is trimmed."
    )
    best_checkpoint_uri: str | None = Field(
        default=None,
        description="With `resume_from_uri`: the best checkpoint so far, for the report, unless a better one comes.",
    )
    initial_weights: Literal["scratch", "pretrained"] | CheckpointRef = "scratch"
    params: TrainingParams
    hyperparameters: dict[str, Any] = Field(default={}, description="As the card's schema has them.")
    timeout_seconds: float | None = Field(default=None, gt=0)
    request_id: str | None = None

    @model_validator(mode="after")
    def _work_is_of_its_kind(self) -> Self:
        kind = self.work.kind if self.work is not None else "train"
        if kind != self.kind:
            raise ValueError(f"work is of the kind {kind}, and the job of the kind {self.kind}.")
        return self
