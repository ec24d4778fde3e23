"""What a finished training says about its best checkpoint: the artifact `report.json`."""

from pydantic import Field

from vision_contracts.base import Message
from vision_contracts.tasks import TaskType

REPORT_VERSION = 1
"""Raised when a field changes its meaning; new fields alone do not raise it."""


class ClassEvaluation(Message):
    """One class by itself. A number that is not defined, such as a recall without labels, is null."""

    name: str
    support: int = Field(ge=0, description="Labelled images, objects or pixels of this class.")
    values: dict[str, float | None]


class ConfusionMatrix(Message):
    """How often each label was predicted as each other one; for objects with `background` as the last label."""

    labels: list[str]
    counts: list[list[int]] = Field(description="Row: what is labelled. Column: what was predicted.")


class Curve(Message):
    """Points of a curve, in the order in which they are joined."""

    name: str = Field(description="`precision_recall`, `f1_confidence` or `calibration`.")
    class_name: str | None = Field(default=None, description="None: of all classes together.")
    x: list[float]
    y: list[float | None]
    counts: list[int] | None = Field(default=None, description="Predictions that a point stands for.")


class SplitEvaluation(Message):
    """One split, seen through the best checkpoint."""

    images: int = Field(ge=0)
    values: dict[str, float | None] = Field(description="Of all classes together: `accuracy`, `map50_95`, `miou`, …")
    classes: list[ClassEvaluation]
    confusion: ConfusionMatrix
    curves: list[Curve] = Field(default=[], description="Points to draw.")


class EvaluationReport(Message):
    """The quality of the best checkpoint, in one form for every framework and task."""

    report_version: int = REPORT_VERSION
    framework: str
    model_name: str
    task_type: TaskType
    primary_metric: str = Field(description="The metric that chose the checkpoint, such as `val/accuracy`.")
    epoch: int = Field(ge=0, description="Completed epochs of the checkpoint.")
    splits: dict[str, SplitEvaluation] = Field(description="By the split's name: `val`, and `test` where it was run.")
