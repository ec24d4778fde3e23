"""Entries of the catalogue of models."""

from typing import Any

from pydantic import Field

from vision_contracts.base import Message
from vision_contracts.tasks import TaskType


class ModelCard(Message):
    """The description of a model that a user needs to choose it and to train it.

    There is one card for each architecture, and one for each well-known hub checkpoint.
    """

    framework: str
    model_name: str = Field(description="Unique within the framework; may hold `/`.")
    display_name: str
    description: str
    task_types: list[TaskType] = Field(min_length=1)
    family: str
    params: int = Field(ge=0, description="Number of parameters with the library's default head.")
    gmacs: float | None = Field(default=None, description="Billions of multiply-adds for one image of `input_size`.")
    input_size: int = Field(gt=0, description="Side of the square input, in pixels.")
    pretrained_available: bool = False
    pretrained_tags: list[str] = Field(default=[], description="Names of weights, the default one first.")
    license: str | None = None
    recommended_batch_size: int = Field(ge=1)
    recommended_lr: float = Field(gt=0)
    tags: list[str] = Field(default=[], description="Keywords for a search.")
    priority: int = Field(default=2, ge=0, le=2, description="0 best known … 2.")
    hyperparameters_ref: str = Field(description="Key of the card's schema in `ModelList.schemas`.")


class ModelDetail(ModelCard):
    """A card together with the JSON Schema of its `hyperparameters`.

    The schema allows what `JobSpec.hyperparameters` may hold and nothing else (`additionalProperties: false`). Its
    keyword `x-named-fields` describes, in the same language, the job's named fields for this card: `epochs`,
    `batch_size`, `learning_rate`, `optimizer` (with the full list of names), `num_devices`. `x-presets` holds values of
    both that a form can fill in, by the names `quick`, `balanced` and `best`: `{description, params, hyperparameters}`.
    """

    hyperparameters: dict[str, Any]


class ModelList(Message):
    """A training service's whole catalogue. Schemas stand beside the cards, since most cards share theirs."""

    framework: str
    framework_version: str
    model_count: int
    models: list[ModelCard]
    schemas: dict[str, dict[str, Any]] = Field(default={}, description="By `hyperparameters_ref`.")

    def detail(self, card: ModelCard) -> ModelDetail:
        """Return the card with its own schema."""
        schema = describe_named_fields(self.schemas[card.hyperparameters_ref], card)
        return ModelDetail(**card.model_dump(), hyperparameters=schema)


def describe_named_fields(schema: dict[str, Any], card: ModelCard) -> dict[str, Any]:
    """Return `schema` with the card's own defaults of the named fields."""
    named = schema.get("x-named-fields", {})
    own_defaults = {"batch_size": card.recommended_batch_size, "learning_rate": card.recommended_lr}
    return schema | {
        "x-named-fields": {
            name: {**field, "default": own_defaults[name]} if name in own_defaults else field
            for name, field in named.items()
        }
    }
