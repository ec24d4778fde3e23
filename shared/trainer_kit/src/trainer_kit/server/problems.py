"""Every error of the HTTP interface as `application/problem+json`."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from trainer_kit.supervisor import SupervisorError, UnknownAttempt
from vision_contracts import PROBLEM_CONTENT_TYPE, FieldProblem, Problem

_CODES = {401: "token_invalid", 404: "not_found", 405: "method_not_allowed"}

log = logging.getLogger(__name__)


class InvalidSpec(Exception):  # noqa: N818 - a refusal with a code
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
    """A problem as a response."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, errors=errors)
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status, headers=headers, media_type=PROBLEM_CONTENT_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Makes the application answer with problems only."""

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> Response:  # pyright: ignore[reportUnusedFunction]
        code = _CODES.get(error.status_code, "error")
        return problem_response(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> Response:  # pyright: ignore[reportUnusedFunction]
        errors = [
            FieldProblem(field=field_path(one["loc"][1:]), code=one["type"], message=one["msg"])
            for one in error.errors()
        ]
        return problem_response(422, "validation_failed", "The request is not valid.", errors=errors)

    @app.exception_handler(InvalidSpec)
    async def _invalid(_request: Request, error: InvalidSpec) -> Response:  # pyright: ignore[reportUnusedFunction]
        return problem_response(422, error.code, str(error), errors=error.errors)

    @app.exception_handler(SupervisorError)
    async def _refused(_request: Request, error: SupervisorError) -> Response:  # pyright: ignore[reportUnusedFunction]
        return problem_response(404 if isinstance(error, UnknownAttempt) else 409, error.code, str(error))

    @app.exception_handler(Exception)
    async def _defect(request: Request, error: Exception) -> Response:  # pyright: ignore[reportUnusedFunction]
        log.error("%s %s has failed", request.method, request.url.path, exc_info=error)
        return problem_response(500, "internal", "The training service has failed. Its log says why.")


def field_path(location: tuple[int | str, ...]) -> str:
    """`("params", "epochs")` as `params.epochs`."""
    return ".".join(str(part) for part in location)
