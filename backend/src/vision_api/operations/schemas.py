"""What clients send and get about works."""

from typing import Annotated, Any, Literal

from pydantic import Field

from vision_api.kit.schemas import ReadModel, RequestModel
from vision_api.training_jobs.schemas import ArtifactName, JobProgress, TrainingJobCreate
from vision_contracts import ExportFormat, ImagePrediction, JobKind, Time

BEST = "checkpoints/best"


class PredictForm(RequestModel):
    """The fields of the form beside its images."""

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.25
    top_k: Annotated[int, Field(ge=1, le=1000)] = 5
    artifact: ArtifactName = BEST


class ExportCreate(RequestModel):
    """In which form, and which checkpoint."""

    format: ExportFormat = Field(description="`bundle` is a zip with the network, what one must know, and an example.")
    artifact: ArtifactName = Field(default=BEST, description="A checkpoint of the experiment.")


class EvaluationCreate(RequestModel):
    """On which images. Without a data set, on the experiment's own."""

    dataset_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    dataset_version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(default=None, description="The newest.")
    split: Literal["train", "val", "test"] = "val"
    artifact: ArtifactName = Field(default=BEST, description="A checkpoint of the experiment.")


class OperationArtifact(ReadModel):
    """A file that a work has made."""

    name: str
    kind: str
    size_bytes: int
    url: str = Field(description="Its path here.")


class PredictedImage(ImagePrediction):
    """The answer for one image."""

    drawing_url: str | None = Field(default=None, description="Path of the picture with the answer drawn into it.")


class OperationRead(ReadModel):
    """Work on an experiment: as a job it is queued, starts, runs and ends."""

    id: int
    job_id: int | None = Field(description="The experiment that it is about; null for a pre-flight.")
    kind: JobKind
    status: str
    status_reason: str | None
    status_message: str | None
    error_message: str | None
    queue_position: int | None
    progress: JobProgress
    settings: dict[str, Any] = Field(description="What was asked for.")
    values: dict[str, float | None] = Field(description="What was measured (evaluate, preflight).")
    artifacts: list[OperationArtifact]
    predictions: list[PredictedImage] | None = Field(default=None, description="In the order of the images (predict).")
    created_at: Time
    started_at: Time | None
    completed_at: Time | None


class PreflightCreate(TrainingJobCreate):
    """An experiment that is not made, but looked at."""

    dry_run: bool = Field(default=False, description="Train a few real batches, which takes a slot for a moment.")


class Estimates(ReadModel):
    """What a training will need, from the model's card: rough. A dry run measures it."""

    device: str | None = Field(description="On which it would train; null where no service answers.")
    device_memory_bytes: int | None
    memory_bytes: int
    largest_batch_size: int | None = Field(description="That fits the device; null where its memory is not known.")
    steps_per_epoch: int | None
    epoch_seconds: float | None
    total_seconds: float | None
    time_basis: Literal["earlier_training", "similar_training", "model_card"] = Field(
        description="Of the same model, of another model of the framework, or of none: that can be wrong by far."
    )
    checkpoint_bytes: int
    disk_bytes: int = Field(description="Of the data set in the service's cache, and of checkpoints.")


class Finding(ReadModel):
    """Something that stands against it."""

    code: str = Field(description="`service_unavailable`, `out_of_memory`, `batch_too_large` or `timed_out`.")
    severity: Literal["error", "warning"]
    field: str
    message: str
    changes: dict[str, Any] | None = Field(default=None, description="Settings with which it should go well.")


class PreflightRead(ReadModel):
    """What is known before a second of training is spent."""

    fits: bool = Field(description="Whether nothing is an error.")
    settings: dict[str, Any] = Field(description="What would be trained with, defaults filled in.")
    estimates: Estimates
    findings: list[Finding]
    dry_run: OperationRead | None = Field(
        default=None, description="With `values` as soon as it has ended: see Location."
    )
