"""Handlers that turn every error into `application/problem+json` (RFC 9457)."""

import errno
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from data_kit import ObjectNotFound, StorageError
from vision_api.errors import ApiError, Conflict, Invalid, NotFound, StorageFull, StorageUnavailable
from vision_contracts import PROBLEM_CONTENT_TYPE, FieldProblem, Problem

log = logging.getLogger(__name__)

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
CONCURRENT_CHANGE = "Somebody changed the same thing at the same moment. Load it again and retry."
_PLACES = ("body", "query", "path", "header", "cookie")


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as a response."""
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        media_type=PROBLEM_CONTENT_TYPE,
        headers=dict(headers or {}),
    )


def add_error_handlers(app: FastAPI) -> None:
    """Install the handlers."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(StaleDataError, _stale_error)
    app.add_exception_handler(StorageError, _storage_error)
    app.add_exception_handler(OSError, _disk_error)


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - how the handler is registered
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("%s: %s", error.code, error.__cause__ or error)
    return problem_response(error.problem(), error.headers)


async def _validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - how the handler is registered
    problems = field_problems(error.errors())
    first = problems[0]
    detail = f"{first.field}: {first.message}" if first.field else first.message
    if len(problems) > 1:
        detail += f" (and {len(problems) - 1} more, see errors)"
    return problem_response(Invalid(detail, errors=problems).problem())


def field_problems(errors: Sequence[Mapping[str, Any]]) -> list[FieldProblem]:
    """Return Pydantic's errors, with paths as the client wrote them."""
    return [
        FieldProblem(field=_path(error["loc"]), code=str(error["type"]), message=_message(error)) for error in errors
    ]


def _path(location: Sequence[str | int]) -> str:
    parts = list(location)
    if parts and parts[0] in _PLACES:
        parts = parts[1:]
    return ".".join(str(part) for part in parts)


def _message(error: Mapping[str, Any]) -> str:
    """Return Pydantic's message, replaced where it names concepts of Pydantic."""
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return "There is no field of this name here. Check its spelling; the fields are listed at /docs."
        case "missing":
            return "This field is needed."
        case "string_too_short":
            return f"At least {context.get('min_length')} characters are needed."
        case "model_attributes_type" | "dict_type" | "model_type":
            return "A JSON object is needed here."
        case _:
            return _sentence(str(error["msg"]))


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message if message.endswith(".") else f"{message}."


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - how the handler is registered
    status = HTTPStatus(error.status_code)
    detail = error.detail if error.detail != status.phrase else _explanation(request, status)
    if status == HTTPStatus.BAD_REQUEST:  # a body that cannot even be parsed; here all such errors are 422
        return problem_response(Invalid(detail).problem(), error.headers)
    problem = Problem(title=status.phrase, status=status, detail=detail, code=_CODES.get(status, "error"))
    return problem_response(problem, error.headers)


def _explanation(request: Request, status: HTTPStatus) -> str:
    if status == HTTPStatus.NOT_FOUND:
        return f"There is no route {request.url.path}. The routes are listed at /docs."
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.url.path} does not take {request.method}."
    return status.description or status.phrase


async def _storage_error(request: Request, error: Exception) -> Response:
    if isinstance(error, ObjectNotFound):
        return await _api_error(request, NotFound("This file is no longer in storage."))
    unavailable = StorageUnavailable()
    unavailable.__cause__ = error
    return await _api_error(request, unavailable)


async def _disk_error(request: Request, error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return await _api_error(request, StorageFull())
    raise error


async def _database_error(_request: Request, error: Exception) -> Response:
    """Answer for errors that no use case handled: a violated constraint, or a value that a column cannot hold."""
    assert isinstance(error, DBAPIError)  # noqa: S101 - how the handler is registered
    state = str(getattr(error.orig, "sqlstate", None) or "")
    text = str(error.orig)
    if state.startswith("23") or "constraint failed" in text:
        return problem_response(Conflict(CONCURRENT_CHANGE).problem())
    if state.startswith("22"):
        return problem_response(
            Invalid("A value is out of range, or holds a character that cannot be stored.").problem()
        )
    raise error


async def _stale_error(_request: Request, _error: Exception) -> Response:
    """Answer for a row that was deleted between its reading and its writing."""
    return problem_response(Conflict(CONCURRENT_CHANGE).problem())
