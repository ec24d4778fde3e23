"""Evaluation of a training's best checkpoint: the artifact `report.json`."""

from pydantic import Field

from vision_contracts.base import Message
from vision_contracts.tasks import TaskType

REPORT_VERSION = 1
"""Raised when a field changes its meaning; new fields alone do not raise it."""


class ClassEvaluation(Message):
    """Evaluation of one class. A number that is not defined, such as a recall without labels, is null."""

    name: str
    support: int = Field(ge=0, description="Labelled images, objects or pixels of this class.")
    values: dict[str, float | None]


class ConfusionMatrix(Message):
    """Counts of each label's predictions by predicted label; for objects, `background` is the last label."""

    labels: list[str]
    counts: list[list[int]] = Field(description="Row: the true label. Column: the predicted label.")


class Curve(Message):
    """Points of a curve, in the order in which they are joined."""

    name: str = Field(description="`precision_recall`, `f1_confidence` or `calibration`.")
    class_name: str | None = Field(default=None, description="Null for all classes together.")
    x: list[float]
    y: list[float | None]
    counts: list[int] | None = Field(default=None, description="Predictions that a point stands for.")


class SplitEvaluation(Message):
    """Evaluation of the best checkpoint on one split."""

    images: int = Field(ge=0)
    values: dict[str, float | None] = Field(description="Metrics of all classes: `accuracy`, `map50_95`, `miou`, …")
    classes: list[ClassEvaluation]
    confusion: ConfusionMatrix
    curves: list[Curve] = Field(default=[], description="Points to draw.")


class BatchTime(Message):
    """Time of the network for one batch: its forward pass alone, without reading images."""

    batch_size: int = Field(ge=1)
    batch_seconds: float = Field(gt=0, description="Median of the timed passes, after some to warm up.")
    images_per_second: float = Field(gt=0)


class ModelSpeed(Message):
    """Speed of the network on the device that trained it."""

    device: str = Field(description="Such as `cuda:0` or `cpu`.")
    device_name: str = Field(description="Name that the device reports, such as `NVIDIA H100 80GB HBM3`.")
    precision: str = Field(description="Type of the numbers it was computed in: `float32`, `bfloat16`, `float16`.")
    image_size: int = Field(ge=1, description="Side of the square images, in pixels.")
    parameters: int = Field(ge=0)
    batches: list[BatchTime] = Field(description="For one image, and for a batch as large as in training.")


class EvaluationReport(Message):
    """Evaluation of the best checkpoint, in one form for every framework and task."""

    report_version: int = REPORT_VERSION
    framework: str
    model_name: str
    task_type: TaskType
    primary_metric: str = Field(description="The metric that chose the checkpoint, such as `val/accuracy`.")
    epoch: int = Field(ge=0, description="Completed epochs of the checkpoint.")
    splits: dict[str, SplitEvaluation] = Field(description="By the split's name: `val`, and `test` where it was run.")
    speed: ModelSpeed | None = None
