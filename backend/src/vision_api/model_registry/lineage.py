"""Where a model comes from, as it was known when it was registered. It is stored as it is, and never changes."""

from typing import Any
from uuid import UUID

from pydantic import Field

from vision_api.kit.schemas import ReadModel
from vision_contracts import ModelSpeed, TaskType, Time


class LineageJob(ReadModel):
    """The experiment. Its `id` may be gone; its `uid` never comes back."""

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
    """What it trained on, and what it was validated on."""

    id: int | None
    name: str | None
    version: int | None
    digest: str | None = Field(description="Of the content; null for a folder.")
    path: str | None
    format: str
    validation_split: str
    num_classes: int | None
    splits: dict[str, Any] = Field(description="`{split: {images}}`.")


class LineageModel(ReadModel):
    """The architecture, as its card described it. Only the names are always known."""

    framework: str
    model_name: str
    display_name: str | None
    family: str | None
    params: int | None
    gmacs: float | None
    input_size: int | None
    license: str | None = Field(description="Of the pretrained weights or the library; null where the card has none.")


class Lineage(ReadModel):
    """Everything that is needed to make it again, and how good it was."""

    task_type: TaskType
    job: LineageJob
    file: LineageFile
    dataset: LineageData
    model: LineageModel
    environment: dict[str, Any] = Field(description="`{device, versions: {library: version}, platform}`.")
    settings: dict[str, Any] = Field(description="`epochs`, `seed`, `hyperparameters`, …")
    primary_metric: str
    metrics: dict[str, float | None] = Field(description="Of the checkpoint: `val/accuracy`, `test/f1_macro`, …")
    speed: ModelSpeed | None
    report: str = Field(description="`read` where the metrics are those of its report, else what became of it.")
