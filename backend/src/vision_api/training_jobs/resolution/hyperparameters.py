"""Checks of a user's settings against the schema of a model's card: pure, with an error for each wrong field."""

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator

from vision_api.errors import Invalid
from vision_api.training_jobs.settings import CARD_FIELDS
from vision_contracts import NAMED_FIELDS, FieldProblem, ModelDetail, TrainingParams

FALLBACK_DEFAULTS: Mapping[str, Any] = {"epochs": 10, "optimizer": "sgd"}
"""Defaults of named fields that a card does not describe."""


def resolve_params(card: ModelDetail, given: Mapping[str, Any]) -> TrainingParams:
    """Return the settings that every framework has: as given, else the card's default, or else the contract's.

    Raises Invalid(hyperparameters_invalid) for a value that the card does not allow.
    """
    described: dict[str, dict[str, Any]] = card.hyperparameters.get("x-named-fields", {})
    given_named = {name: given[name] for name in NAMED_FIELDS if given.get(name) is not None}
    schema: dict[str, Any] = {
        **card.hyperparameters,
        "properties": described,
        "required": [],
        "additionalProperties": True,
    }
    _raise_if_any(list(_problems(schema, given_named, prefix="")))
    recommended = {"batch_size": card.recommended_batch_size, "learning_rate": card.recommended_lr}
    fallbacks = {**FALLBACK_DEFAULTS, **recommended}
    defaults = {name: described.get(name, {}).get("default", fallbacks[name]) for name in CARD_FIELDS}
    return TrainingParams.model_validate(defaults | given_named)


def check_hyperparameters(card: ModelDetail, given: Mapping[str, Any]) -> None:
    """Check hyper-parameters against the card's schema. Raises Invalid(hyperparameters_invalid)."""
    misplaced = [
        FieldProblem(
            field=f"hyperparameters.{name}",
            code="misplaced",
            message=f"{name} is a field of the experiment: put it beside hyperparameters, not into it.",
        )
        for name in NAMED_FIELDS
        if name in given
    ]
    others = {name: value for name, value in given.items() if name not in NAMED_FIELDS}
    _raise_if_any([*misplaced, *_problems(card.hyperparameters, others, prefix="hyperparameters")])


def fill_in_defaults(card: ModelDetail | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters that a job trains with: the given ones, else the card's defaults."""
    schema: Mapping[str, Any] = card.hyperparameters.get("properties", {}) if card is not None else {}
    return {name: field["default"] for name, field in schema.items() if "default" in field} | dict(given)


def _raise_if_any(problems: list[FieldProblem]) -> None:
    if not problems:
        return
    more = f" (and {len(problems) - 1} more, see errors)" if len(problems) > 1 else ""
    raise Invalid(f"{problems[0].field}: {problems[0].message}{more}", code="hyperparameters_invalid", errors=problems)


def _problems(schema: Mapping[str, Any], instance: Mapping[str, Any], *, prefix: str) -> Iterator[FieldProblem]:
    for path in _not_finite(instance, prefix):
        yield FieldProblem(field=path, code="not_finite", message="must be a finite number.")
    validator: Any = Draft202012Validator(schema)
    for error in validator.iter_errors(instance):
        yield from _explain(error, prefix)


def _not_finite(value: Any, path: str) -> Iterator[str]:
    """Yield the paths of NaN and infinities, which JSON does not have but Python's parser accepts."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path
    elif isinstance(value, Mapping):
        for name, item in cast("Mapping[str, Any]", value).items():
            yield from _not_finite(item, _join(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _not_finite(item, _join(path, index))


def _explain(error: Any, prefix: str) -> Iterator[FieldProblem]:
    """Yield readable problems for a `jsonschema.ValidationError`, which has no precise type."""
    if error.validator == "additionalProperties":
        yield from _unknown_names(error, prefix)
        return
    while error.context:  # the error of the alternative that is not null is the useful one
        alternatives: list[Any] = error.context
        error = next((each for each in alternatives if each.validator_value != "null"), alternatives[0])
    path = _join(prefix, *error.absolute_path)
    yield FieldProblem(field=path, code=str(error.validator), message=f"{error.message}.")


def _unknown_names(error: Any, prefix: str) -> Iterator[FieldProblem]:
    known: list[str] = sorted(error.schema.get("properties", {}))
    given: list[str] = list(error.instance)
    for name in given:
        if name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none'}."
        field = _join(prefix, *error.absolute_path, name)
        yield FieldProblem(field=field, code="unknown", message=f"There is no such hyperparameter; {hint}")


def _join(prefix: str, *parts: object) -> str:
    return ".".join(str(part) for part in (prefix, *parts) if part != "")
