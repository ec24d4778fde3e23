"""Checks against a card, and the errors of values that it does not allow."""

import math
from typing import Any

import pytest
from support.small_service import make_card

from vision_api.errors import Invalid
from vision_api.training_jobs.resolution.hyperparameters import check_hyperparameters, resolve_params
from vision_contracts import ModelDetail, TrainingParams

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "lr0": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.1},
        "schedule": {"anyOf": [{"enum": ["cosine", "step"]}, {"type": "null"}], "default": None},
        "augment": {"$ref": "#/$defs/Augment"},
    },
    "$defs": {
        "Augment": {"type": "object", "properties": {"flip": {"type": "boolean"}}, "additionalProperties": False}
    },
    "additionalProperties": False,
    "x-named-fields": {
        "epochs": {"type": "integer", "minimum": 1, "maximum": 300, "default": 30},
        "batch_size": {"type": "integer", "default": 32},
        "learning_rate": {"type": "number", "default": 0.001},
        "optimizer": {"enum": ["sgd", "adamw", "lamb"], "default": "adamw"},
        "num_devices": {"type": "integer", "maximum": 1},
    },
}


@pytest.fixture
def card() -> ModelDetail:
    return ModelDetail(**make_card("tiny").model_dump(), hyperparameters=SCHEMA)


def errors_of(error: Invalid) -> dict[str, str]:
    assert error.code == "hyperparameters_invalid"
    return {problem.field: problem.code for problem in error.errors or []}


def test_what_is_not_given_comes_from_the_card(card: ModelDetail) -> None:
    settled = resolve_params(card, {"epochs": None, "batch_size": 4})

    assert settled == TrainingParams(epochs=30, batch_size=4, learning_rate=0.001, optimizer="adamw")


def test_a_card_that_says_nothing_still_gives_every_field(card: ModelDetail) -> None:
    silent = card.model_copy(update={"hyperparameters": {"type": "object"}})

    expected = TrainingParams(epochs=10, batch_size=32, learning_rate=0.001, optimizer="sgd")
    assert resolve_params(silent, {}) == expected


@pytest.mark.parametrize(("name", "value"), [("optimizer", "magic"), ("epochs", 301), ("num_devices", 2)])
def test_a_named_field_outside_the_cards_range_is_named(card: ModelDetail, name: str, value: object) -> None:
    with pytest.raises(Invalid) as caught:
        resolve_params(card, {name: value})

    assert list(errors_of(caught.value)) == [name]


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"lr0": 2}, {"hyperparameters.lr0": "maximum"}),
        ({"lr0": "high"}, {"hyperparameters.lr0": "type"}),
        ({"lr0": math.nan}, {"hyperparameters.lr0": "not_finite"}),
        ({"lrO": 0.1}, {"hyperparameters.lrO": "unknown"}),
        ({"schedule": "cosin"}, {"hyperparameters.schedule": "enum"}),
        ({"augment": {"flip": 1}}, {"hyperparameters.augment.flip": "type"}),
        ({"augment": {"flop": True}}, {"hyperparameters.augment.flop": "unknown"}),
        ({"epochs": 3, "seed": 1}, {"hyperparameters.epochs": "misplaced", "hyperparameters.seed": "misplaced"}),
        ({"lr0": -1, "colour": "red"}, {"hyperparameters.lr0": "minimum", "hyperparameters.colour": "unknown"}),
    ],
)
def test_every_wrong_field_is_named(card: ModelDetail, given: dict[str, Any], errors: dict[str, str]) -> None:
    with pytest.raises(Invalid) as caught:
        check_hyperparameters(card, given)

    assert errors_of(caught.value) == errors


def test_a_misspelt_name_is_met_with_the_right_one(card: ModelDetail) -> None:
    with pytest.raises(Invalid, match="did you mean schedule"):
        check_hyperparameters(card, {"shedule": "cosine"})


def test_what_the_card_allows_passes(card: ModelDetail) -> None:
    check_hyperparameters(card, {"lr0": 0.5, "schedule": None, "augment": {"flip": True}})
