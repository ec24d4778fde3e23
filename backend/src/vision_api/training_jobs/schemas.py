"""Request and response bodies of training jobs."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from vision_api.kit.schemas import OneLine, ReadModel, RequestModel, ResourceId
from vision_contracts import (
    ArtifactKind,
    BatchSize,
    DatasetFormat,
    Device,
    Epochs,
    JobKind,
    LearningRate,
    LogLevel,
    NumDevices,
    Seed,
    TaskType,
    Time,
)

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), OneLine()]
Notes = Annotated[str, StringConstraints(max_length=20_000)]
ArtifactName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
LONGEST_TIMEOUT_SECONDS = 366 * 24 * 3600


EXAMPLE: dict[str, JsonValue] = {
    "project_id": 1,
    "name": "ResNet-18 on digits",
    "framework": "timm",
    "model_name": "resnet18",
    "task_type": "image_classification",
    "dataset_id": 1,
    "epochs": 10,
}


class InitialCheckpoint(RequestModel):
    """Weights of an earlier experiment. `artifact` may leave the suffix out: `checkpoints/best`."""

    job_id: ResourceId
    artifact: ArtifactName = "checkpoints/best"


class RequestedSettings(RequestModel):
    """Settings of a job as a request has them, all optional: one that is omitted or null comes from the model's card,
    or else from `TrainingParams`.
    """

    name: Name | None = Field(default=None, description="Default: the model's name.")
    notes: Notes | None = None
    dataset_id: ResourceId | None = None
    dataset_version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(default=None, description="The newest.")
    dataset_path: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = Field(
        default=None, description="A folder below `DATASET_ROOTS`, at the same path for the backend and the service."
    )
    dataset_format: DatasetFormat | None = None
    epochs: Epochs | None = None
    batch_size: BatchSize | None = None
    learning_rate: LearningRate | None = None
    optimizer: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    pretrained: bool | None = Field(default=None, description="Short for `initial_weights`.")
    initial_weights: Literal["scratch", "pretrained"] | InitialCheckpoint | None = None
    device: Device | None = None
    num_devices: NumDevices | None = None
    seed: Seed | None = None
    priority: Annotated[int, Field(ge=-10, le=10)] | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=LONGEST_TIMEOUT_SECONDS)] | None = None
    hyperparameters: dict[str, Any] | None = Field(
        default=None, description="Values that the card's JSON Schema allows; never one of the fields beside it."
    )


class TrainingJobCreate(RequestedSettings):
    """A new experiment. Nothing runs until it is started."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    project_id: ResourceId
    framework: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    model_name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    task_type: TaskType

    @model_validator(mode="after")
    def _one_data_set(self) -> "TrainingJobCreate":
        if (self.dataset_id is None) == (self.dataset_path is None):
            raise ValueError("Name the data set by either dataset_id or dataset_path.")
        if self.dataset_version is not None and self.dataset_id is None:
            raise ValueError("dataset_version belongs to a dataset_id.")
        return self

    @model_validator(mode="after")
    def _one_kind_of_weights(self) -> "TrainingJobCreate":
        weights = {None: self.initial_weights, True: "pretrained", False: "scratch"}[self.pretrained]
        if self.initial_weights is not None and weights != self.initial_weights:
            raise ValueError("pretrained and initial_weights contradict each other: give one of them.")
        return self


class TrainingJobUpdate(RequestedSettings):
    """Changes of an experiment. Omitted settings stay; null restores the default."""

    framework: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    model_name: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    task_type: TaskType | None = None

    @model_validator(mode="after")
    def _required_stay(self) -> "TrainingJobUpdate":
        for name in ("framework", "model_name", "task_type"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null.")
        return self


class WithChanges(RequestModel):
    """A retry or a copy, optionally with other settings."""

    changes: TrainingJobUpdate | None = None


class Extend(RequestModel):
    """A longer training."""

    epochs: Epochs = Field(description="The new total, more than now.")


class Fork(WithChanges):
    """A new experiment that starts from the weights of this one."""

    artifact: ArtifactName = Field(default="checkpoints/best", description="A checkpoint of this experiment.")


class JobProgress(ReadModel):
    """Progress of a training. `epoch` counts completed epochs, `step` optimizer steps; `percent` is 0 to 100."""

    epoch: int
    epochs: int
    step: int
    steps: int
    percent: float
    eta_seconds: float | None


class PrimaryMetric(ReadModel):
    """The number by which two trainings of the task are compared."""

    name: str
    value: float | None
    direction: Literal["max", "min"] = "max"


class TrainingJobRead(ReadModel):
    """An experiment."""

    id: int
    job_uid: UUID
    kind: JobKind = Field(description="`train`; the operations of an experiment have others.")
    parent_id: int | None = Field(description="Of an operation: the experiment that it belongs to.")
    project_id: int
    created_by_id: int
    name: str
    notes: str
    framework: str
    model_name: str
    task_type: TaskType
    dataset_id: int | None
    dataset_version: int | None
    dataset_path: str | None
    dataset_format: DatasetFormat
    dataset_digest: str | None = Field(description="Of the content it trains on; null for a folder.")
    validation_split: str = Field(
        description="The split of its validation: `val`, or `val-seed-7` if the data set has none and the seed splits "
        "it off."
    )
    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str
    pretrained: bool
    initial_weights: Literal["scratch", "pretrained"] | InitialCheckpoint
    device: str
    num_devices: int
    seed: int
    priority: int
    timeout_seconds: float | None
    hyperparameters: dict[str, Any]
    status: str
    status_reason: str | None
    status_message: str | None
    error_message: str | None
    proposed_changes: dict[str, Any] | None = Field(
        description="Of a failed experiment: send it as the `changes` of a retry, which may then succeed."
    )
    queue_position: int | None = Field(description="From 1, among the queued experiments of its framework.")
    attempt: int = Field(description="0 before the first dispatch.")
    progress: JobProgress
    num_classes: int | None
    environment: dict[str, Any] | None = Field(
        description="Environment of the newest attempt: `{device, versions: {library: version}, platform}`."
    )
    accuracy: float | None = Field(description="0 to 1: of the last validation, of the best checkpoint once completed.")
    loss: float | None = Field(description="The validation loss, of the same validation.")
    primary_metric: PrimaryMetric
    output_dir: str
    training_state: Literal["kept", "trimmed"] | None = Field(
        description="Of an ended experiment: `trimmed` has its weights alone, and resumes with a new optimizer."
    )
    created_at: Time
    updated_at: Time
    started_at: Time | None
    completed_at: Time | None


class MetricPointRead(ReadModel):
    """One value; null where the trainer had a number that was not finite."""

    step: int
    epoch: int
    value: float | None
    time: Time


class MetricSeries(ReadModel):
    """One curve."""

    name: str
    unit: str | None = None
    points: list[MetricPointRead]


class LogLineRead(ReadModel):
    """One line of a training's log."""

    id: int
    time: Time
    level: LogLevel
    message: str
    attempt: int


class ArtifactRead(ReadModel):
    """A file that a training left."""

    name: str
    kind: ArtifactKind
    size_bytes: int
    sha256: str
    content_type: str
    attempt: int
    step: int | None
    created_at: Time


class PresignedUrl(ReadModel):
    """An address that needs no other credentials until it expires."""

    url: str
    expires_at: datetime
