"""Errors as `application/problem+json` (RFC 9457)."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from vision_contracts import PROBLEM_CONTENT_TYPE, FieldProblem, Problem

_CODES = {
    401: "token_invalid",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_media_type",
    422: "validation_failed",
    429: "rate_limited",
}
_PLACES = ("body", "query", "path", "header", "cookie")

MOST_ERRORS = 20
LONGEST_TEXT = 300
"""Length of a field's path, and of its message: a client chooses what an error quotes, and must not get it all back."""
LONGEST_DETAIL = 1000
LARGEST_BYTES = 16 * 1024


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as a response of at most LARGEST_BYTES."""
    return Response(
        _encode(problem),
        status_code=problem.status,
        media_type=PROBLEM_CONTENT_TYPE,
        headers=dict(headers or {}),
    )


def _encode(problem: Problem) -> bytes:
    """Return a problem as JSON, with as many of its first errors as are allowed."""
    errors = [
        error.model_copy(update={"field": shorten(error.field), "message": shorten(error.message)})
        for error in (problem.errors or [])[:MOST_ERRORS]
    ]
    known = len(problem.errors or []) + (problem.errors_omitted or 0)
    while True:
        bounded = problem.model_copy(
            update={
                "detail": shorten(problem.detail, LONGEST_DETAIL),
                "errors": errors or None,
                "errors_omitted": known - len(errors) or None,
            }
        )
        encoded = bounded.model_dump_json(exclude_none=True).encode()
        if len(encoded) <= LARGEST_BYTES or not errors:
            return encoded
        errors.pop()


def shorten(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return `text`, cut to `longest` characters, of which the last says that it was cut."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def make_problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    errors: list[FieldProblem] | None = None,
    errors_omitted: int = 0,
) -> Problem:
    """Return the problem of a status, titled by its phrase. Without a `code` it gets that of the status, or `error`."""
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code or _CODES.get(status, "error"),
        errors=errors,
        errors_omitted=errors_omitted or None,
    )


def field_problems(
    errors: Sequence[Mapping[str, Any]], message: Callable[[Mapping[str, Any]], str] = lambda error: str(error["msg"])
) -> list[FieldProblem]:
    """Return Pydantic's first errors, with paths as the client wrote them. `message` may say them in other words."""
    return [
        FieldProblem(field=field_path(error["loc"]), code=str(error["type"]), message=message(error))
        for error in errors[:MOST_ERRORS]
    ]


def field_path(location: Sequence[str | int]) -> str:
    """Return `("body", "params", "epochs")` as `params.epochs`: without the part of the request that has the field."""
    inside = location[1:] if location and location[0] in _PLACES else location
    return ".".join(str(part) for part in inside)
