"""What the catalogue's routes take and give."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

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
    """Which cards are asked for; None is no condition."""

    framework: str | None = None
    task_type: TaskType | None = None
    priority: int | None = None
    q: str | None = None
    pretrained: bool | None = None
    min_params: int | None = None
    max_params: int | None = None


class ModelCardRead(ModelCard):
    """A model that can be trained. Its `hyperparameters` come with the single card."""

    hyperparameters_ref: str = Field(exclude=True)


class ModelDetailRead(ModelDetail):
    """A model with the JSON Schema of its hyper-parameters."""

    hyperparameters_ref: str = Field(exclude=True)
