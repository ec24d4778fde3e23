"""Schemas of the catalogue's routes."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import ConfigDict, Field, JsonValue

from vision_contracts import ModelCard, ModelDetail, TaskType


class ModelSort(StrEnum):
    """Orders of the list. Equal cards follow by name."""

    PRIORITY = "priority"
    PRIORITY_DESCENDING = "-priority"
    NAME = "name"
    NAME_DESCENDING = "-name"
    PARAMS = "params"
    PARAMS_DESCENDING = "-params"


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """Conditions on model cards; None is no condition."""

    framework: str | None = None
    task_type: TaskType | None = None
    priority: int | None = None
    q: str | None = None
    pretrained: bool | None = None
    min_params: int | None = None
    max_params: int | None = None


_EXAMPLE: dict[str, JsonValue] = {
    "framework": "timm",
    "model_name": "resnet18",
    "display_name": "ResNet-18",
    "description": "Residual network with 18 layers.",
    "task_types": ["image_classification"],
    "family": "resnet",
    "params": 11_689_512,
    "gmacs": 1.82,
    "input_size": 224,
    "pretrained_available": True,
    "pretrained_tags": ["a1_in1k"],
    "license": "apache-2.0",
    "recommended_batch_size": 32,
    "recommended_lr": 0.001,
    "tags": ["cnn"],
    "priority": 0,
}


class ModelCardRead(ModelCard):
    """A model that can be trained. Its `hyperparameters` come with the single card."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    hyperparameters_ref: str = Field(exclude=True)


class ModelDetailRead(ModelDetail):
    """A model with the JSON Schema of its hyper-parameters."""

    hyperparameters_ref: str = Field(exclude=True)
