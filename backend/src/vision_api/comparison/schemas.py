"""What the routes of comparisons give."""

from typing import Any, Literal

from pydantic import Field

from vision_api.kit.schemas import ReadModel
from vision_api.training_jobs.results.reports import ReportState
from vision_api.training_jobs.schemas import PrimaryMetric
from vision_contracts import ModelSpeed, TaskType, Time


class LeaderboardEntry(ReadModel):
    """One experiment in its place. `task_type`, `dataset_digest` and `validation_split` name its group."""

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
    """Why numbers of some of the experiments say nothing about each other."""

    code: Literal["task_differs", "dataset_differs", "dataset_unversioned", "split_differs", "images_differ"]
    message: str
    jobs: list[int]


class ComparableGroup(ReadModel):
    """Experiments that were measured on the same images for the same task."""

    task_type: TaskType
    dataset_digest: str | None = Field(description="Null for a folder, whose content may have changed.")
    validation_split: str
    jobs: list[int]
    best_job_id: int | None = Field(
        description="By the primary metric; null where none has one, or where their reports count different images."
    )


class ReportRead(ReadModel):
    """What became of an experiment's `report.json`."""

    state: ReportState
    message: str
    epoch: int | None = Field(default=None, description="Completed epochs of the checkpoint that it is about.")
    images: dict[str, int] = Field(default={}, description="By split.")


class Cost(ReadModel):
    """What it took, and what the model takes. Null where it is not known."""

    wall_seconds: float | None = Field(description="From the first step to the end, with pauses.")
    epochs: int = Field(description="Completed ones.")
    epoch_seconds: float | None = Field(description="The median.")
    params: int | None = Field(description="As the report counts them, else of the model's card with its own head.")
    gmacs: float | None = Field(description="Of the model's card: billions of multiply-adds for one image.")
    checkpoint_bytes: int | None
    latency_seconds: float | None = Field(description="Of the network alone, for one image on the device of `speed`.")
    speed: ModelSpeed | None = Field(description="Of the report.")
    device: str | None


class ComparedJobRead(ReadModel):
    """One of the experiments."""

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
    best_epoch: float | None = Field(description="When the best checkpoint was made.")
    report: ReportRead
    cost: Cost


class EqualSetting(ReadModel):
    """A setting that all of them have alike."""

    name: str
    value: Any


class DifferentSetting(ReadModel):
    """A setting that differs; null where an experiment does not have it."""

    name: str
    values: list[Any]


class ComparedSettings(ReadModel):
    """As decided, with the cards' defaults filled in: `epochs`, `hyperparameters.lr0`, `environment.device`, …"""

    equal: list[EqualSetting]
    different: list[DifferentSetting]


class ComparedMetric(ReadModel):
    """One number of the best checkpoints."""

    name: str
    direction: Literal["max", "min"] | None = Field(description="Which is better; null for what is neither.")
    values: list[float | None]
    sources: list[Literal["report", "training"] | None] = Field(
        description="`report`: the evaluator's report; `training`: the point at the best checkpoint's step."
    )


class EpochPoint(ReadModel):
    """`x` counts epochs, so that curves of other batch sizes lie on one axis."""

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
    """One class in the reports."""

    name: str
    support: list[int | None]
    values: dict[str, list[float | None]] = Field(description="By metric.")
    spread: float | None = Field(description="The largest difference, in the main metric of the task.")


class ComparedClasses(ReadModel):
    """Class by class, those that differ most first."""

    split: str
    metric: str | None = Field(description="The one by which they are ordered; null without any report.")
    classes: list[ComparedClass]


class Comparison(ReadModel):
    """Every list of values has the order of `jobs`."""

    comparable: bool = Field(description="Whether all of them were measured on the same images for the same task.")
    reasons: list[Incomparable] = Field(description="Why not.")
    groups: list[ComparableGroup] = Field(description="Within one of them, numbers may be compared.")
    jobs: list[ComparedJobRead]
    settings: ComparedSettings
    metrics: list[ComparedMetric]
    curves: list[ComparedCurve]
    classes: ComparedClasses
