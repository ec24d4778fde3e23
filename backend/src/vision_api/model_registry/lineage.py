"""Lineage of a model version: stored at its registration, and never changed."""

from typing import Any
from uuid import UUID

from pydantic import Field

from vision_api.kit.schemas import ReadModel
from vision_contracts import ModelSpeed, TaskType, Time


class LineageJob(ReadModel):
    """The experiment. Its `id` may be deleted; its `uid` is never used again."""

    id: int
    uid: UUID
    name: str
    status: str
    attempt: int
    created_at: Time
    started_at: Time | None
    completed_at: Time | None


class LineageFile(ReadModel):
    """The artifact that was copied."""

    artifact: str
    uri: str
    sha256: str
    size_bytes: int
    attempt: int
    step: int | None


class LineageData(ReadModel):
    """The data set of the training and of the validation."""

    id: int | None
    name: str | None
    version: int | None
    digest: str | None = Field(description="Digest of the content; null for a folder.")
    path: str | None
    format: str
    validation_split: str
    num_classes: int | None
    splits: dict[str, Any] = Field(description="`{split: {images}}`.")


class LineageModel(ReadModel):
    """The architecture as its card described it. Only the two names are always known."""

    framework: str
    model_name: str
    display_name: str | None
    family: str | None
    params: int | None
    gmacs: float | None
    input_size: int | None
    license: str | None = Field(
        description="Licence of the pretrained weights or the library; null if the card has none."
    )


class Lineage(ReadModel):
    """All facts that are needed to reproduce a model, and its metrics."""

    task_type: TaskType
    job: LineageJob
    file: LineageFile
    dataset: LineageData
    model: LineageModel
    environment: dict[str, Any] = Field(description="`{device, versions: {library: version}, platform}`.")
    settings: dict[str, Any] = Field(description="`epochs`, `seed`, `hyperparameters`, …")
    primary_metric: str
    metrics: dict[str, float | None] = Field(
        description="Metrics of the checkpoint: `val/accuracy`, `test/f1_macro`, …"
    )
    speed: ModelSpeed | None
    report: str = Field(description="State of the report; `read` if the metrics are taken from it.")
