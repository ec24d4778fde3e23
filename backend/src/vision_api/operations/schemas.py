"""Requests and responses of operations."""

from typing import Annotated, Any, Literal

from pydantic import Field

from vision_api.kit.schemas import ReadModel, RequestModel
from vision_api.training_jobs.schemas import ArtifactName, JobProgress, TrainingJobCreate
from vision_contracts import ExportFormat, ImagePrediction, JobKind, Time

BEST = "checkpoints/best"


class PredictForm(RequestModel):
    """The fields of the form besides its images."""

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.25
    top_k: Annotated[int, Field(ge=1, le=1000)] = 5
    artifact: ArtifactName = BEST


class ExportCreate(RequestModel):
    """The format of an export, and the checkpoint."""

    format: ExportFormat = Field(description="`bundle` is a zip with the network, its description and an example.")
    artifact: ArtifactName = Field(default=BEST, description="A checkpoint of the experiment.")


class EvaluationCreate(RequestModel):
    """The images of an evaluation. Without a data set, those of the experiment's own."""

    dataset_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    dataset_version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(default=None, description="The newest.")
    split: Literal["train", "val", "test"] = "val"
    artifact: ArtifactName = Field(default=BEST, description="A checkpoint of the experiment.")


class OperationArtifact(ReadModel):
    """A file that an operation has made."""

    name: str
    kind: str
    size_bytes: int
    url: str = Field(description="Path at this server.")


class PredictedImage(ImagePrediction):
    """The prediction for one image."""

    drawing_url: str | None = Field(default=None, description="Path of the image with the prediction drawn on it.")


class OperationRead(ReadModel):
    """An operation on an experiment: a job that is queued, starts, runs and ends."""

    id: int
    job_id: int | None = Field(description="The experiment that it belongs to; null for a pre-flight.")
    kind: JobKind
    status: str
    status_reason: str | None
    status_message: str | None
    error_message: str | None
    queue_position: int | None
    progress: JobProgress
    settings: dict[str, Any] = Field(description="Settings of the request.")
    values: dict[str, float | None] = Field(description="Measured values (evaluate, preflight).")
    artifacts: list[OperationArtifact]
    predictions: list[PredictedImage] | None = Field(default=None, description="In the order of the images (predict).")
    created_at: Time
    started_at: Time | None
    completed_at: Time | None


class PreflightCreate(TrainingJobCreate):
    """An experiment that is checked and not created."""

    dry_run: bool = Field(default=False, description="Train a few real batches, which needs a slot for a few seconds.")


class Estimates(ReadModel):
    """Rough estimates of what a training needs, from the model's card. A dry run measures instead."""

    device: str | None = Field(description="The device that it would train on; null if no service answers.")
    device_memory_bytes: int | None
    memory_bytes: int
    largest_batch_size: int | None = Field(
        description="The largest that fits the device; null if its memory is unknown."
    )
    steps_per_epoch: int | None
    epoch_seconds: float | None
    total_seconds: float | None
    time_basis: Literal["earlier_training", "similar_training", "model_card"] = Field(
        description="A training of this model, one of another model of the framework, or none, which can be far off."
    )
    checkpoint_bytes: int
    disk_bytes: int = Field(description="Of the data set in the service's cache, and of checkpoints.")


class Finding(ReadModel):
    """A problem that the training would meet."""

    code: str = Field(description="`service_unavailable`, `out_of_memory`, `batch_too_large` or `timed_out`.")
    severity: Literal["error", "warning"]
    field: str
    message: str
    changes: dict[str, Any] | None = Field(default=None, description="Settings that should fix it.")


class PreflightRead(ReadModel):
    """The result of a pre-flight."""

    fits: bool = Field(description="Whether no finding is an error.")
    settings: dict[str, Any] = Field(description="The settings of the training, defaults filled in.")
    estimates: Estimates
    findings: list[Finding]
    dry_run: OperationRead | None = Field(
        default=None, description="The dry run, with `values` once it has ended: see Location."
    )
