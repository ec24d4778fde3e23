"""Errors of the HTTP interface as `application/problem+json`."""

import logging
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from trainer_kit.supervisor import SupervisorError, UnknownAttempt
from vision_contracts import PROBLEM_CONTENT_TYPE, FieldProblem, Problem

_CODES = {401: "token_invalid", 404: "not_found", 405: "method_not_allowed"}

log = logging.getLogger(__name__)


class InvalidSpec(Exception):
    """A job that this service cannot train. `errors` name the fields."""

    def __init__(self, code: str, errors: list[FieldProblem]) -> None:
        self.code = code
        self.errors = errors
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a problem as a response."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, errors=errors)
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status, headers=headers, media_type=PROBLEM_CONTENT_TYPE)


async def _answer_http(_request: Request, error: HTTPException) -> Response:
    code = _CODES.get(error.status_code, "error")
    return problem_response(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))


async def _answer_invalid_request(_request: Request, error: RequestValidationError) -> Response:
    errors = [
        FieldProblem(field=field_path(one["loc"][1:]), code=one["type"], message=one["msg"]) for one in error.errors()
    ]
    return problem_response(422, "validation_failed", "The request is not valid.", errors=errors)


async def _answer_invalid_spec(_request: Request, error: InvalidSpec) -> Response:
    return problem_response(422, error.code, str(error), errors=error.errors)


async def _answer_refusal(_request: Request, error: SupervisorError) -> Response:
    return problem_response(404 if isinstance(error, UnknownAttempt) else 409, error.code, str(error))


async def _answer_defect(request: Request, error: Exception) -> Response:
    log.error("%s %s has failed", request.method, request.url.path, exc_info=error)
    return problem_response(500, "internal", "The training service has failed. Its log says why.")


PROBLEM_HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    HTTPException: _answer_http,
    RequestValidationError: _answer_invalid_request,
    InvalidSpec: _answer_invalid_spec,
    SupervisorError: _answer_refusal,
    Exception: _answer_defect,
}


def field_path(location: tuple[int | str, ...]) -> str:
    """Return `("params", "epochs")` as `params.epochs`."""
    return ".".join(str(part) for part in location)
