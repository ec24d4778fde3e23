"""A framework's own settings: the model that validates them, and the schema that a form is made from.

A field tells a form how to show it: `Field(0.1, ge=0, lt=1, title="Dropout", description="…",
json_schema_extra={"group": "basic", "unit": "px"})`. A field without a group is an advanced one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from vision_contracts import NAMED_FIELDS, TrainingParams


class Hyperparameters(BaseModel):
    """Base of every framework's settings: a misspelt name is an error, and every field has a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


MOST_DEVICES = 8
"""Of one machine, for a framework that trains on several together."""

NUM_DEVICES_DESCRIPTION = "How many devices train together, each with batches of `batch_size`."

PRESETS = ("quick", "balanced", "best")
"""Names of the sets of values that every framework offers to start from."""


_ANY_PARAMS = {"epochs": 1, "batch_size": 1, "learning_rate": 1, "optimizer": "sgd"}


@dataclass(frozen=True)
class Preset:
    """What a form fills in when its user chooses one: the rest keeps its defaults."""

    description: str
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Named fields of a job."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


def json_schema(
    model: type[BaseModel],
    *,
    optimizers: Sequence[str],
    optimizer: str | None = None,
    epochs: int = 10,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    max_devices: int = 1,
    presets: Mapping[str, Preset] | None = None,
) -> dict[str, Any]:
    """The JSON Schema of `model`, closed, with the named fields of a job in `x-named-fields`, and in `x-presets`
    values of both to start from.

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
        "num_devices": _named_field(
            "num_devices", group="advanced", maximum=max_devices, description=NUM_DEVICES_DESCRIPTION
        ),
    }
    closed = {**schema, "properties": properties, "additionalProperties": False, "x-named-fields": named}
    return closed | ({"x-presets": _describe_presets(model, presets)} if presets else {})


def _describe_presets(model: type[BaseModel], presets: Mapping[str, Preset]) -> dict[str, Any]:
    """Raises ValueError for other names than all of PRESETS, and for values that a job may not have."""
    if set(presets) != set(PRESETS):
        raise ValueError(f"Presets are {', '.join(PRESETS)}, and not {', '.join(presets)}.")
    for preset in presets.values():
        model.model_validate(preset.hyperparameters)
        TrainingParams.model_validate({**_ANY_PARAMS, **preset.params})
    return {name: asdict(presets[name]) for name in PRESETS}


def optimizer_names(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The optimizers that a card's schema allows; empty where it names none."""
    field: Mapping[str, Any] = schema.get("x-named-fields", {}).get("optimizer", {})
    return tuple(field.get("enum", ()))


def max_devices(schema: Mapping[str, Any]) -> int:
    """How many devices a training with this schema can use together."""
    field: Mapping[str, Any] = schema.get("x-named-fields", {}).get("num_devices", {})
    return int(field.get("maximum", 1))


def _named_field(name: str, **own: Any) -> dict[str, Any]:
    """The limits of the contract, with what this framework says about the field."""
    return {**_TRAINING_PARAMS[name], "group": "basic", **own}


_TRAINING_PARAMS: dict[str, dict[str, Any]] = TrainingParams.model_json_schema()["properties"]
