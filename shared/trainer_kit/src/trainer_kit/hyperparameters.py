"""Hyper-parameters of a framework: the model that validates them, and the JSON Schema that a form is made from.

A field describes its input in the form: `Field(0.1, ge=0, lt=1, title="Dropout", description="…",
json_schema_extra={"group": "basic", "unit": "px"})`. A field without a group is an advanced one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from vision_contracts import NAMED_FIELDS, TrainingParams


class Hyperparameters(BaseModel):
    """Base of every framework's hyper-parameters: unknown names are errors. Subclasses give every field a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


MOST_DEVICES = 8
"""`max_devices` of frameworks that train on several devices of one machine."""

NUM_DEVICES_DESCRIPTION = "How many devices train together, each with batches of `batch_size`."

PRESETS = ("quick", "balanced", "best")
"""Names of the presets that every framework offers."""


_ANY_PARAMS = {"epochs": 1, "batch_size": 1, "learning_rate": 1, "optimizer": "sgd"}


@dataclass(frozen=True)
class Preset:
    """Values that a form fills in when its user chooses the preset; other fields keep their defaults."""

    description: str
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values of `TrainingParams`, by name."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values of the framework's own hyper-parameters, by name."""


def make_presets(
    *,
    quick_epochs: int,
    best_epochs: int,
    quick: Mapping[str, Any],
    best: Mapping[str, Any],
) -> Mapping[str, Preset]:
    """Return the presets in the words of every framework; `quick` and `best` are values of its own hyper-parameters."""
    return {
        "quick": Preset("A first look at what the data gives.", {"epochs": quick_epochs}, quick),
        "balanced": Preset("The defaults: a good result in reasonable time."),
        "best": Preset(
            "Long, and with strong augmentation: for the last points of quality.", {"epochs": best_epochs}, best
        ),
    }


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
    """Return the JSON Schema of `model` without additional properties, with the named fields of a job (see
    `NAMED_FIELDS`) in `x-named-fields` and the presets in `x-presets`.

    `optimizers` are the names that the framework accepts; `optimizer` is the default, else the first. A card's
    `recommended_batch_size` and `recommended_lr` replace the defaults given here.

    Raises ValueError for a default that is not among the optimizers, for a field of `model` that is a named field of a
    job or has no default, and for presets that are incomplete or invalid.
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
    """Return the presets as JSON. Raises ValueError for names other than PRESETS, and for invalid values."""
    if set(presets) != set(PRESETS):
        raise ValueError(f"Presets are {', '.join(PRESETS)}, and not {', '.join(presets)}.")
    for preset in presets.values():
        model.model_validate(preset.hyperparameters)
        TrainingParams.model_validate({**_ANY_PARAMS, **preset.params})
    return {name: asdict(presets[name]) for name in PRESETS}


def optimizer_names(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the optimizers that a card's schema allows; empty if it lists none."""
    field: Mapping[str, Any] = schema.get("x-named-fields", {}).get("optimizer", {})
    return tuple(field.get("enum", ()))


def max_devices(schema: Mapping[str, Any]) -> int:
    """Return the largest `num_devices` that a card's schema allows."""
    field: Mapping[str, Any] = schema.get("x-named-fields", {}).get("num_devices", {})
    return int(field.get("maximum", 1))


def _named_field(name: str, **own: Any) -> dict[str, Any]:
    """Schema of a named field: that of the contract, overridden by this framework's values."""
    return {**_TRAINING_PARAMS[name], "group": "basic", **own}


_TRAINING_PARAMS: dict[str, dict[str, Any]] = TrainingParams.model_json_schema()["properties"]
