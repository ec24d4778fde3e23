"""The interface of a trained network, and the description that is needed to use it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainer_kit.trainer import OperationRun
from vision_contracts import Message, TaskType

Arrays = dict[str, NDArray[np.float32]]
"""Outputs by name, for a batch of n images. Their names and shapes depend on the task:

image_classification        probabilities (n, classes)
semantic_segmentation       scores (n, classes, h, w), the largest wins
all others                  boxes (n, q, 4) as x1, y1, x2, y2 in pixels of the input, scores (n, q, classes) 0 to 1
  instance_segmentation     coefficients (n, q, m), prototypes (n, m, h, w): a mask is the sigmoid of their product
  pose_estimation           keypoints (n, q, k, 3) as x, y, score
  oriented_object_detection boxes (n, q, 5) as centre x and y, width, height, angle in radians
"""


class Preprocessing(Message):
    """Steps from an upright RGB image to the network's input: resizing, cropping or padding to `size`, normalising."""

    size: tuple[int, int] = Field(description="Height and width of the input.")
    resize: Literal["squash", "shorter_side", "letterbox"] = Field(
        description="Squash: to a square of `resize_to`, else to `size`. Shorter side: to `resize_to`. "
        "An image larger than `size` is cropped to its centre. Letterbox: to fit into `size`, with `fill` around it."
    )
    resize_to: int | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    channels: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = Field(default=(0, 0, 0), description="Mean of each channel, from 0 to 1.")
    std: tuple[float, float, float] = (1, 1, 1)
    fill: int = 114


class Description(Message):
    """Description of a network without its weights: `model.json` of a bundle and an ONNX file's metadata contain it."""

    framework: str
    model_name: str
    task_type: TaskType
    class_names: list[str] = Field(description="Classes of the outputs, in their order.")
    preprocessing: Preprocessing
    nms_overlap: float | None = Field(
        default=None, description="IoU above which the worse of two boxes of a class is removed; null: all stay."
    )
    background: int | None = Field(default=None, description="Index of the class that means: none of the others.")
    single_class: bool = Field(default=False, description="It was trained with all classes merged into one.")
    keypoint_names: list[str] = Field(default=[])
    skeleton: list[tuple[int, int]] = Field(default=[], description="Pairs of indices of connected keypoints.")
    versions: dict[str, str] = Field(default={}, description="Versions of the libraries that trained it, by name.")
    license: str | None = Field(default=None, description="Licence of the architecture's published weights.")
    license_note: str = Field(
        default="", description="Terms of the framework for those who pass the weights on; empty: `license` alone."
    )


Compute = Callable[[NDArray[np.float32]], Arrays]
"""Function that returns the outputs for a batch (n, 3, height, width), preprocessed as `Preprocessing` says."""


class Network(Protocol):
    """A network with its weights, on its device."""

    description: Description
    device: str
    """`cpu`, `mps` or `cuda:N`."""

    def run(self, pixels: NDArray[np.float32]) -> Arrays:
        """Return the outputs for a batch (n, 3, height, width): see `Compute`."""
        ...

    def write_onnx(self, path: Path) -> None:
        """Write an ONNX file with one input, `image`, of variable batch size, and the outputs of `run` by their names.

        Raises TrainingError with `export_not_supported` if the architecture cannot be exported.
        """
        ...

    def write_torchscript(self, path: Path) -> Compute:
        """Write a TorchScript file, load it again, and return a function that runs it. Raises as `write_onnx`."""
        ...

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the weights by name."""
        ...


class LoadNetwork(Protocol):
    """A framework's function that loads a network."""

    def __call__(self, run: OperationRun[Any]) -> Network:
        """Load the network of `run.checkpoint`. Raises TrainingError with `weights_unavailable` if it is unreadable."""
        ...


def load_and_start(run: OperationRun[Any], load_network: LoadNetwork) -> Network:
    """Load the network, report that the operation begins, and return the network."""
    network = load_network(run)
    description = network.description
    run.start(device=network.device, num_classes=len(description.class_names), versions=description.versions)
    return network
