"""A trained network, and what one must know of it to use it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainer_kit.trainer import OperationRun
from vision_contracts import Message, TaskType

Arrays = dict[str, NDArray[np.float32]]
"""Outputs by name, of a batch of n images. Which there are depends on the task:

image_classification        probabilities (n, classes)
semantic_segmentation       scores (n, classes, h, w), the largest wins
all others                  boxes (n, q, 4) as x1, y1, x2, y2 in pixels of the input, scores (n, q, classes) 0 to 1
  instance_segmentation     coefficients (n, q, m), prototypes (n, m, h, w): a mask is the sigmoid of their product
  pose_estimation           keypoints (n, q, k, 3) as x, y, score
  oriented_object_detection boxes (n, q, 5) as centre x and y, width, height, angle in radians
"""


class Preprocessing(Message):
    """From an upright RGB image to the network's input: resized, cut or filled to `size`, normalised."""

    size: tuple[int, int] = Field(description="Height and width of the input.")
    resize: Literal["squash", "shorter_side", "letterbox"] = Field(
        description="Squash: to a square of `resize_to`, else to `size`. Shorter side: to `resize_to`. "
        "Of what is larger than `size` the middle is cut out. Letterbox: to fit into `size`, and `fill` around it."
    )
    resize_to: int | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    channels: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = Field(default=(0, 0, 0), description="Of pixels from 0 to 1.")
    std: tuple[float, float, float] = (1, 1, 1)
    fill: int = 114


class Description(Message):
    """Everything but the weights. `model.json` of a bundle, and the metadata of an ONNX file, have it."""

    framework: str
    model_name: str
    task_type: TaskType
    class_names: list[str] = Field(description="Of the outputs, in their order.")
    preprocessing: Preprocessing
    nms_overlap: float | None = Field(
        default=None, description="Of several boxes of a class that overlap by more, the best stays; null: all stay."
    )
    background: int | None = Field(default=None, description="The class that means: none of the others.")
    single_class: bool = Field(default=False, description="It was trained to take every object for the one class.")
    keypoint_names: list[str] = Field(default=[])
    skeleton: list[tuple[int, int]] = Field(default=[])
    versions: dict[str, str] = Field(default={})
    license: str | None = None


Compute = Callable[[NDArray[np.float32]], Arrays]
"""Outputs for a batch (n, 3, height, width), as `Preprocessing` makes it."""


class Network(Protocol):
    """A network with its weights, on its device."""

    description: Description
    device: str

    def run(self, pixels: NDArray[np.float32]) -> Arrays:
        """See `Compute`."""
        ...

    def write_onnx(self, path: Path) -> None:
        """One input, `image`, whose batch may vary, and the outputs of `run` under their names. Raises TrainingError
        with `export_not_supported` where the architecture cannot be written so.
        """
        ...

    def write_torchscript(self, path: Path) -> Compute:
        """As `write_onnx`; returns what the file computes once it is read again."""
        ...

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The weights by name."""
        ...


class LoadNetwork(Protocol):
    """What a framework's works begin with."""

    def __call__(self, run: OperationRun[Any]) -> Network:
        """The network of `run.checkpoint`. Raises TrainingError."""
        ...


def begin(run: OperationRun[Any], load_network: LoadNetwork) -> Network:
    """The network, loaded, and told of: the work begins."""
    network = load_network(run)
    description = network.description
    run.start(device=network.device, num_classes=len(description.class_names), versions=description.versions)
    return network
