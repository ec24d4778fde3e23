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
from http_kit.problems import field_problems, make_problem, problem_response, shorten
from vision_api.errors import ApiError, Conflict, Invalid, NotFound, StorageFull, StorageUnavailable
from vision_api.kit.methods import allowed_methods
from vision_contracts import FieldProblem

log = logging.getLogger(__name__)

CONCURRENT_CHANGE = "Somebody changed the same thing at the same moment. Load it again and retry."


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
    errors = error.errors()
    problems = invalid_fields(errors)
    first = problems[0]
    detail = shorten(f"{first.field}: {first.message}" if first.field else first.message)
    if len(errors) > 1:
        detail += f" (and {len(errors) - 1} more, see errors)"
    problem = make_problem(Invalid.status, detail, errors=problems, errors_omitted=len(errors) - len(problems))
    return problem_response(problem)


def invalid_fields(errors: Sequence[Mapping[str, Any]]) -> list[FieldProblem]:
    """Return Pydantic's first errors in words for a user."""
    return field_problems(errors, _message)


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
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allowed_methods(request))
    return problem_response(make_problem(status, detail), headers)


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
