"""What a user wrote against what a model's card allows: pure, with an error for each wrong field."""

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator

from vision_api.errors import Invalid
from vision_contracts import NAMED_FIELDS, FieldProblem, ModelDetail

CARD_FIELDS = ("epochs", "batch_size", "learning_rate", "optimizer")
"""Named fields whose default and range are the card's."""

LAST_RESORT: Mapping[str, Any] = {"epochs": 10, "optimizer": "sgd"}
"""For a card that says nothing about a named field."""


def resolve_named_fields(card: ModelDetail, given: Mapping[str, Any]) -> dict[str, Any]:
    """`epochs`, `batch_size`, `learning_rate` and `optimizer`: as given, else the card's default. Of the other named
    fields only the range is checked.

    Raises Invalid(hyperparameters_invalid) for a value that the card does not allow.
    """
    described: dict[str, dict[str, Any]] = card.hyperparameters.get("x-named-fields", {})
    limited = {name: given[name] for name in NAMED_FIELDS if given.get(name) is not None}
    schema: dict[str, Any] = {
        **card.hyperparameters,
        "properties": described,
        "required": [],
        "additionalProperties": True,
    }
    _refuse(list(_problems(schema, limited, prefix="")))
    recommended = {"batch_size": card.recommended_batch_size, "learning_rate": card.recommended_lr}
    own = {**LAST_RESORT, **recommended}
    defaults = {name: described.get(name, {}).get("default", own[name]) for name in CARD_FIELDS}
    return defaults | {name: value for name, value in limited.items() if name in CARD_FIELDS}


def check_hyperparameters(card: ModelDetail, given: Mapping[str, Any]) -> None:
    """Raises Invalid(hyperparameters_invalid) for what the card's schema does not allow."""
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
    _refuse([*misplaced, *_problems(card.hyperparameters, others, prefix="hyperparameters")])


def fill_in(card: ModelDetail | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The hyper-parameters that it is trained with: the card's defaults, and in their place what was given."""
    schema: Mapping[str, Any] = card.hyperparameters.get("properties", {}) if card is not None else {}
    return {name: field["default"] for name, field in schema.items() if "default" in field} | dict(given)


def _refuse(problems: list[FieldProblem]) -> None:
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
    """JSON has neither NaN nor infinities, but Python's reader takes them."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path
    elif isinstance(value, Mapping):
        for name, item in cast("Mapping[str, Any]", value).items():
            yield from _not_finite(item, _join(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _not_finite(item, _join(path, index))


def _explain(error: Any, prefix: str) -> Iterator[FieldProblem]:
    """A `jsonschema.ValidationError`, whose stubs say little, for people."""
    if error.validator == "additionalProperties":
        yield from _unknown_names(error, prefix)
        return
    while error.context:  # of several alternatives, what is not null was meant
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
