"""Errors of the HTTP interface as `application/problem+json`."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from http_kit.problems import field_problems, make_problem, problem_response
from trainer_kit.supervisor import SupervisorError, UnknownAttempt
from vision_contracts import FieldProblem

log = logging.getLogger(__name__)


class InvalidSpec(Exception):
    """A job that this service cannot train. `errors` name the fields."""

    def __init__(self, code: str, errors: list[FieldProblem]) -> None:
        self.code = code
        self.errors = errors
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))


async def _answer_http(_request: Request, error: HTTPException) -> Response:
    return problem_response(make_problem(error.status_code, str(error.detail)), error.headers)


async def _answer_invalid_request(_request: Request, error: RequestValidationError) -> Response:
    return problem_response(make_problem(422, "The request is not valid.", errors=field_problems(error.errors())))


async def _answer_invalid_spec(_request: Request, error: InvalidSpec) -> Response:
    return problem_response(make_problem(422, str(error), code=error.code, errors=error.errors))


async def _answer_refusal(_request: Request, error: SupervisorError) -> Response:
    status = 404 if isinstance(error, UnknownAttempt) else 409
    return problem_response(make_problem(status, str(error), code=error.code))


async def _answer_defect(request: Request, error: Exception) -> Response:
    log.error("%s %s has failed", request.method, request.url.path, exc_info=error)
    return problem_response(make_problem(500, "The training service has failed. Its log says why.", code="internal"))


PROBLEM_HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    HTTPException: _answer_http,
    RequestValidationError: _answer_invalid_request,
    InvalidSpec: _answer_invalid_spec,
    SupervisorError: _answer_refusal,
    Exception: _answer_defect,
}
