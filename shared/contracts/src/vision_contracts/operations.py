"""The kinds of work beside training: what a finished training is used for, and what a training to come would need.

Each is an attempt like any other: the same slots, runner, events and endings.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from vision_contracts.base import Message

MOST_IMAGES = 64
"""Of one prediction."""


class JobKind(StrEnum):
    """What an attempt does."""

    TRAIN = "train"
    PREDICT = "predict"
    EXPORT = "export"
    EVALUATE = "evaluate"
    PREFLIGHT = "preflight"


class ExportFormat(StrEnum):
    """`bundle` is a zip archive: the network as ONNX, what one must know of it, and a program that uses it."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"
    SAFETENSORS = "safetensors"
    BUNDLE = "bundle"


class ImageRef(Message):
    """An image that somebody sent. It is hostile until it is decoded."""

    name: str = Field(description="As its sender calls it; never a path.")
    uri: str


class PredictOperation(Message):
    """Let a checkpoint (`initial_weights`) look at images."""

    kind: Literal["predict"] = "predict"
    images: list[ImageRef] = Field(min_length=1, max_length=MOST_IMAGES)
    threshold: float = Field(default=0.25, ge=0, le=1, description="Objects below this score are left out.")
    top_k: int = Field(default=5, ge=1, le=1000, description="Labels of an image that are told.")


class ExportOperation(Message):
    """Write a checkpoint (`initial_weights`) in a form that others read, checked on images of `dataset`."""

    kind: Literal["export"] = "export"
    format: ExportFormat
    name: str = Field(default="", description="Of the experiment, for people.")
    metrics: dict[str, float | None] = Field(default={}, description="Of the checkpoint, as the job has them.")
    dataset_name: str = ""


class EvaluateOperation(Message):
    """Measure a checkpoint (`initial_weights`) on one split of `dataset`."""

    kind: Literal["evaluate"] = "evaluate"
    split: Literal["train", "val", "test"] = "val"


class PreflightOperation(Message):
    """Train a few real steps, and keep nothing but how long they took and what memory they needed."""

    kind: Literal["preflight"] = "preflight"
    steps: int = Field(default=4, ge=2, le=50)


Operation = Annotated[
    PredictOperation | ExportOperation | EvaluateOperation | PreflightOperation, Field(discriminator="kind")
]
