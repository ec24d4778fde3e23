import math
from typing import Any

import pytest
from pydantic import Field, ValidationError

from trainer_kit.hyperparameters import PRESETS, Hyperparameters, Preset, json_schema, max_devices, optimizer_names
from vision_contracts import TrainingParams


class Settings(Hyperparameters):
    dropout: float = Field(0.1, ge=0, lt=1, title="Dropout", json_schema_extra={"group": "basic", "unit": "px"})
    warmup: int | None = Field(None, ge=0, title="Warm-up")


def test_a_misspelt_name_and_a_number_out_of_range_are_refused() -> None:
    for wrong in ({"drop_out": 0.1}, {"dropout": 1.0}, {"dropout": math.nan}):
        with pytest.raises(ValidationError):
            Settings.model_validate(wrong)


def test_the_schema_is_closed_and_describes_each_field_for_a_form() -> None:
    schema = json_schema(Settings, optimizers=["sgd", "adamw"])
    assert schema["additionalProperties"] is False
    dropout, warmup = schema["properties"]["dropout"], schema["properties"]["warmup"]
    assert (dropout["group"], dropout["unit"], dropout["default"], dropout["minimum"]) == ("basic", "px", 0.1, 0)
    assert (warmup["group"], warmup["title"], warmup["default"]) == ("advanced", "Warm-up", None)


def test_the_named_fields_have_the_limits_of_the_contract() -> None:
    named = json_schema(Settings, optimizers=["sgd"], epochs=7, batch_size=3, learning_rate=0.5)["x-named-fields"]
    contract = TrainingParams.model_json_schema()["properties"]
    for name, default in (("epochs", 7), ("batch_size", 3), ("learning_rate", 0.5)):
        assert named[name]["default"] == default
        assert named[name]["maximum"] == contract[name]["maximum"]


def test_optimizers_are_listed_with_a_default() -> None:
    schema = json_schema(Settings, optimizers=["sgd", "adamw"], optimizer="adamw")
    assert schema["x-named-fields"]["optimizer"]["default"] == "adamw"
    assert optimizer_names(schema) == ("sgd", "adamw")
    assert optimizer_names({}) == ()


def test_presets_are_those_of_every_framework_and_fit_the_schema() -> None:
    presets = {name: Preset(name) for name in PRESETS}
    best = Preset("Better.", params={"epochs": 90}, hyperparameters={"dropout": 0.2})
    schema = json_schema(Settings, optimizers=["sgd"], presets=presets | {"best": best})
    assert list(schema["x-presets"]) == ["quick", "balanced", "best"]
    assert schema["x-presets"]["best"]["params"] == {"epochs": 90}
    for wrong in ({"hyperparameters": {"dropout": 2}}, {"hyperparameters": {"drop": 0.1}}, {"params": {"epochs": 0}}):
        with pytest.raises(ValueError, match="validation error"):
            json_schema(Settings, optimizers=["sgd"], presets=presets | {"best": Preset("", **wrong)})
    with pytest.raises(ValueError, match="quick, balanced, best"):
        json_schema(Settings, optimizers=["sgd"], presets={"fast": best})


def test_the_largest_number_of_devices_is_in_the_schema() -> None:
    assert max_devices(json_schema(Settings, optimizers=["sgd"])) == max_devices({}) == 1
    assert max_devices(json_schema(Settings, optimizers=["sgd"], max_devices=4)) == 4


class WithoutDefault(Hyperparameters):
    needed: int


class Repeating(Hyperparameters):
    batch_size: int = 1


@pytest.mark.parametrize(
    ("model", "arguments", "says"),
    [
        (WithoutDefault, {}, "needed"),
        (Repeating, {}, "batch_size"),
        (Settings, {"optimizer": "lion"}, "lion"),
    ],
)
def test_a_model_or_preset_that_a_form_cannot_show_is_refused(
    model: type[Hyperparameters], arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        json_schema(model, optimizers=["sgd"], **arguments)
