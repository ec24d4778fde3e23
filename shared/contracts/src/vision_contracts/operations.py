"""The operations beside training: uses of a finished training, and the preflight of a new one.

Each is an attempt like any other: the same slots, runner, events and endings.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from vision_contracts.base import Message

MOST_IMAGES = 64
"""Maximum number of images of one prediction."""


class JobKind(StrEnum):
    """Kind of operation that an attempt runs."""

    TRAIN = "train"
    PREDICT = "predict"
    EXPORT = "export"
    EVALUATE = "evaluate"
    PREFLIGHT = "preflight"


class ExportFormat(StrEnum):
    """Format of an export. `bundle` is a zip archive: the network as ONNX, its description, and a program to run it."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"
    SAFETENSORS = "safetensors"
    BUNDLE = "bundle"


class ImageRef(Message):
    """An image that a user sent. It is untrusted until it is decoded."""

    name: str = Field(description="Name that the user gave to it; never a path.")
    uri: str


class PredictOperation(Message):
    """Predict images with a checkpoint (`initial_weights`)."""

    kind: Literal["predict"] = "predict"
    images: list[ImageRef] = Field(min_length=1, max_length=MOST_IMAGES)
    threshold: float = Field(default=0.25, ge=0, le=1, description="Objects below this score are left out.")
    top_k: int = Field(default=5, ge=1, le=1000, description="Number of labels of an image that are reported.")


class ExportOperation(Message):
    """Export a checkpoint (`initial_weights`) to another format, verified on images of `dataset`."""

    kind: Literal["export"] = "export"
    format: ExportFormat
    name: str = Field(default="", description="Name of the experiment, for people.")
    metrics: dict[str, float | None] = Field(default={}, description="Metrics of the checkpoint, as the job has them.")
    dataset_name: str = ""


class EvaluateOperation(Message):
    """Measure a checkpoint (`initial_weights`) on one split of `dataset`."""

    kind: Literal["evaluate"] = "evaluate"
    split: Literal["train", "val", "test"] = "val"


class PreflightOperation(Message):
    """Train a few real steps, and keep nothing but their time and memory."""

    kind: Literal["preflight"] = "preflight"
    steps: int = Field(default=4, ge=2, le=50)


Operation = Annotated[
    PredictOperation | ExportOperation | EvaluateOperation | PreflightOperation, Field(discriminator="kind")
]
