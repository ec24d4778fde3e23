"""A checkpoint of the hub, as it is written down here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vision_contracts import TaskType

IMAGENET = {"num_labels": 1000}
"""The head of a checkpoint that was fine-tuned on ImageNet-1k."""

IMAGENET_22K = {"num_labels": 21841}


@dataclass(frozen=True)
class HubCheckpoint:
    """`config` changes the default configuration of `model_type`."""

    hub_id: str
    model_type: str
    task: TaskType
    config: Mapping[str, Any]
    input_size: int
    license: str
    normalization: str = "imagenet"


def classifier(
    hub_id: str,
    model_type: str,
    config: Mapping[str, Any],
    *,
    size: int = 224,
    license: str = "apache-2.0",
    normalization: str = "imagenet",
) -> HubCheckpoint:
    """A checkpoint for image classification."""
    return HubCheckpoint(hub_id, model_type, TaskType.IMAGE_CLASSIFICATION, config, size, license, normalization)
