"""Responses of comparisons and leaderboards."""

from typing import Any, Literal

from pydantic import Field

from vision_api.kit.schemas import ReadModel
from vision_api.training_jobs.results.reports import ReportState
from vision_api.training_jobs.schemas import PrimaryMetric
from vision_contracts import ModelSpeed, TaskType, Time


class LeaderboardEntry(ReadModel):
    """An experiment with its rank. `task_type`, `dataset_digest` and `validation_split` name its group."""

    rank: int = Field(description="From 1, within its group; equal values share one.")
    task_type: TaskType
    dataset_digest: str
    dataset_id: int | None
    dataset_version: int | None
    validation_split: str
    job_id: int
    name: str
    framework: str
    model_name: str
    primary_metric: PrimaryMetric
    accuracy: float | None
    loss: float | None
    epochs: int
    wall_seconds: float | None
    completed_at: Time | None


class Incomparable(ReadModel):
    """A reason why the numbers of some experiments cannot be compared."""

    code: Literal["task_differs", "dataset_differs", "dataset_unversioned", "split_differs", "images_differ"]
    message: str
    jobs: list[int]


class ComparableGroup(ReadModel):
    """Experiments that were measured on the same images for the same task."""

    task_type: TaskType
    dataset_digest: str | None = Field(
        description="Digest of the content; null for a folder, whose content may have changed."
    )
    validation_split: str
    jobs: list[int]
    best_job_id: int | None = Field(
        description="The best by the primary metric; null if none has one, or if their reports count different images."
    )


class ReportRead(ReadModel):
    """The state of an experiment's `report.json`."""

    state: ReportState
    message: str
    epoch: int | None = Field(default=None, description="Completed epochs of the reported checkpoint.")
    images: dict[str, int] = Field(default={}, description="Number of images by split.")


class Cost(ReadModel):
    """Cost of a training and of its model. Values that are not known are null."""

    wall_seconds: float | None = Field(description="From the first step to the end, with pauses.")
    epochs: int = Field(description="Completed epochs.")
    epoch_seconds: float | None = Field(description="Median duration of an epoch.")
    params: int | None = Field(
        description="Parameters as the report counts them, else those of the model's card with its own head."
    )
    gmacs: float | None = Field(description="Billions of multiply-adds for one image, from the model's card.")
    checkpoint_bytes: int | None
    latency_seconds: float | None = Field(
        description="Latency of the network alone, for one image on the device of `speed`."
    )
    speed: ModelSpeed | None = Field(description="Measured speed of the report.")
    device: str | None


class ComparedJobRead(ReadModel):
    """One of the compared experiments."""

    id: int
    project_id: int
    name: str
    status: str
    framework: str
    model_name: str
    task_type: TaskType
    dataset_id: int | None
    dataset_version: int | None
    dataset_digest: str | None
    dataset_path: str | None
    validation_split: str
    primary_metric: PrimaryMetric
    best_epoch: float | None = Field(description="Epoch of the best checkpoint.")
    report: ReportRead
    cost: Cost


class EqualSetting(ReadModel):
    """A setting that is equal in all experiments."""

    name: str
    value: Any


class DifferentSetting(ReadModel):
    """A setting that differs; null for an experiment that does not have it."""

    name: str
    values: list[Any]


class ComparedSettings(ReadModel):
    """Resolved settings with the cards' defaults: `epochs`, `hyperparameters.lr0`, `environment.device`, …"""

    equal: list[EqualSetting]
    different: list[DifferentSetting]


class ComparedMetric(ReadModel):
    """One metric of the best checkpoints."""

    name: str
    direction: Literal["max", "min"] | None = Field(description="Direction of better values; null if there is none.")
    values: list[float | None]
    sources: list[Literal["report", "training"] | None] = Field(
        description="`report`: the evaluator's report; `training`: the point at the best checkpoint's step."
    )


class EpochPoint(ReadModel):
    """A point of a curve. `x` counts epochs, so that curves of different batch sizes share an axis."""

    x: float
    step: int
    value: float | None


class ComparedSeries(ReadModel):
    """The curve of one experiment."""

    job_id: int
    points: list[EpochPoint]


class ComparedCurve(ReadModel):
    """One metric over the epochs of several experiments."""

    name: str
    unit: str | None
    series: list[ComparedSeries]


class ComparedClass(ReadModel):
    """One class of the reports."""

    name: str
    support: list[int | None]
    values: dict[str, list[float | None]] = Field(description="Values by metric.")
    spread: float | None = Field(description="Largest difference in the main metric of the task.")


class ComparedClasses(ReadModel):
    """Comparison by class, the largest differences first."""

    split: str
    metric: str | None = Field(description="Metric that orders the classes; null without any report.")
    classes: list[ComparedClass]


class Comparison(ReadModel):
    """A comparison of experiments. Every list of values has the order of `jobs`."""

    comparable: bool = Field(description="Whether all of them were measured on the same images for the same task.")
    reasons: list[Incomparable] = Field(description="Reasons why not.")
    groups: list[ComparableGroup] = Field(description="Numbers may be compared within a group.")
    jobs: list[ComparedJobRead]
    settings: ComparedSettings
    metrics: list[ComparedMetric]
    curves: list[ComparedCurve]
    classes: ComparedClasses
