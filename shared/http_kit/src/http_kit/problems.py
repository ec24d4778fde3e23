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
    413: "too_large",
    415: "unsupported_media_type",
    422: "validation_failed",
    429: "rate_limited",
}
_PLACES = ("body", "query", "path", "header", "cookie")


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as a response."""
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        media_type=PROBLEM_CONTENT_TYPE,
        headers=dict(headers or {}),
    )


def make_problem(
    status: int, detail: str, *, code: str | None = None, errors: list[FieldProblem] | None = None
) -> Problem:
    """Return the problem of a status, titled by its phrase. Without a `code` it gets that of the status, or `error`."""
    code = code or _CODES.get(status, "error")
    return Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, errors=errors)


def field_problems(
    errors: Sequence[Mapping[str, Any]], message: Callable[[Mapping[str, Any]], str] = lambda error: str(error["msg"])
) -> list[FieldProblem]:
    """Return Pydantic's errors, with paths as the client wrote them. `message` may say them in other words."""
    return [
        FieldProblem(field=field_path(error["loc"]), code=str(error["type"]), message=message(error))
        for error in errors
    ]


def field_path(location: Sequence[str | int]) -> str:
    """Return `("body", "params", "epochs")` as `params.epochs`: without the part of the request that has the field."""
    inside = location[1:] if location and location[0] in _PLACES else location
    return ".".join(str(part) for part in inside)
