"""A framework's own settings: the model that validates them, and the schema that a form is made from.

A field tells a form how to show it: `Field(0.1, ge=0, lt=1, title="Dropout", description="…",
json_schema_extra={"group": "basic", "unit": "px"})`. A field without a group is an advanced one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from vision_contracts import NAMED_FIELDS, TrainingParams


class Hyperparameters(BaseModel):
    """Base of every framework's settings: a misspelt name is an error, and every field has a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


def json_schema(
    model: type[BaseModel],
    *,
    optimizers: Sequence[str],
    optimizer: str | None = None,
    epochs: int = 10,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
) -> dict[str, Any]:
    """The JSON Schema of `model`, closed, with the named fields of a job in `x-named-fields`.

    `optimizers` are all the names that the framework takes; `optimizer` is the default one (else the first). A card's
    own `recommended_batch_size` and `recommended_lr` later replace the defaults given here.
    """
    default = optimizer or optimizers[0]
    if default not in optimizers:
        raise ValueError(f"The default optimizer {default!r} is not one of {', '.join(optimizers)}.")
    if taken := sorted(set(NAMED_FIELDS) & set(model.model_fields)):
        raise ValueError(f"{model.__name__} repeats named fields of a job: {', '.join(taken)}.")
    if open_fields := [name for name, field in model.model_fields.items() if field.is_required()]:
        raise ValueError(f"{model.__name__} needs a default for {', '.join(open_fields)}.")
    schema = model.model_json_schema()
    properties = {name: {"group": "advanced", **field} for name, field in schema.get("properties", {}).items()}
    named = {
        "epochs": _named_field("epochs", default=epochs),
        "batch_size": _named_field("batch_size", default=batch_size),
        "learning_rate": _named_field("learning_rate", default=learning_rate),
        "optimizer": _named_field("optimizer", default=default, enum=list(optimizers)),
    }
    return {**schema, "properties": properties, "additionalProperties": False, "x-named-fields": named}


def optimizer_names(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The optimizers that a card's schema allows; empty where it names none."""
    field: Mapping[str, Any] = schema.get("x-named-fields", {}).get("optimizer", {})
    return tuple(field.get("enum", ()))


def _named_field(name: str, **own: Any) -> dict[str, Any]:
    """The limits of the contract, with what this framework says about the field."""
    return {**_TRAINING_PARAMS[name], "group": "basic", **own}


_TRAINING_PARAMS: dict[str, dict[str, Any]] = TrainingParams.model_json_schema()["properties"]
