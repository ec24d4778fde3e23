"""Settings of a job: one frozen model from the resolved request to the row, the specification and the answers."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from vision_api.datasets.resolution import ResolvedDataset
from vision_api.models import TrainingJob
from vision_api.training_jobs.schemas import InitialCheckpoint
from vision_contracts import DatasetFormat, TaskType, TrainingParams

CARD_FIELDS = tuple(name for name, field in TrainingParams.model_fields.items() if field.is_required())
"""Settings whose defaults come from the model's card."""

TRAINING_SETTINGS = (
    *CARD_FIELDS, "initial_weights", *(name for name in TrainingParams.model_fields if name not in CARD_FIELDS),
)  # fmt: skip
"""Columns that comparisons and lineages show beside the model, the data and the hyper-parameters, in this order."""


class JobDataset(BaseModel):
    """The data set of a job: a version in the platform, or a folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset_id: int | None = None
    dataset_version: int | None = None
    dataset_path: str | None = None
    dataset_uri: str
    dataset_format: DatasetFormat
    dataset_digest: str | None = None
    validation_split: str = "val"

    @classmethod
    def of_version(cls, dataset_id: int, resolved: ResolvedDataset, *, seed: int) -> Self:
        """Return a version in the platform. If it has no split for the validation, `seed` splits one off."""
        return cls(
            dataset_id=dataset_id,
            dataset_version=resolved.version,
            dataset_uri=resolved.ref.uri,
            dataset_format=resolved.ref.format,
            dataset_digest=resolved.ref.digest,
            validation_split=f"val-seed-{seed}" if resolved.is_val_split_off else "val",
        )


class JobSettings(BaseModel):
    """Settings of a job with every value decided. The settings of every framework are the fields of `params` alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    notes: str
    framework: str
    model_name: str
    task_type: TaskType
    dataset: JobDataset
    params: TrainingParams
    initial_weights: Literal["scratch", "pretrained"] | InitialCheckpoint
    priority: int
    timeout_seconds: float | None
    hyperparameters: dict[str, Any]

    @classmethod
    def of(cls, job: TrainingJob) -> Self:
        """Return the settings of a row."""
        plain = {name: getattr(job, name) for name in cls.model_fields if name not in ("dataset", "params")}
        return cls(
            dataset=JobDataset.model_validate(job, from_attributes=True),
            params=TrainingParams.model_validate(job, from_attributes=True),
            **plain,
        )

    def columns(self) -> dict[str, Any]:
        """Return the columns of a row with these settings."""
        nested = self.dataset.model_dump() | self.params.model_dump()
        return self.model_dump(exclude={"dataset", "params"}) | nested

    def write_to(self, job: TrainingJob) -> None:
        """Write the settings to a row."""
        for name, value in self.columns().items():
            setattr(job, name, value)
