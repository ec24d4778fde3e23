"""Errors that a client sees. Each carries its status and a stable code.

ApiError
├── Unauthorized          401 invalid_credentials | token_expired | token_invalid
├── Forbidden             403 forbidden | password_change_required
├── NotFound              404 not_found
├── Conflict              409 conflict
│   ├── InvalidTransition 409 invalid_transition
│   └── InUse             409 in_use
├── TooSlow               408 too_slow
├── TooLarge              413 too_large
├── Invalid               422 validation_failed | model_unknown | …
├── RateLimited           429 rate_limited
├── QuotaExceeded         429 quota_exceeded
├── DatabaseUnavailable   503 database_unavailable
├── StorageUnavailable    503 storage_unavailable
└── StorageFull           507 storage_full
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException

from vision_contracts import FieldProblem, Problem


class ApiError(HTTPException):
    """A response other than success. `detail` is for people and says what to do.

    An HTTPException, since FastAPI lets only these out of the reading of a body.
    """

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldProblem] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(self.status, detail, headers=dict(headers or {}))
        self.code = code or self.code
        self.errors = list(errors) if errors else None

    def __str__(self) -> str:
        return self.detail

    def problem(self) -> Problem:
        """Return the body of the response."""
        return Problem(
            title=self.status.phrase,
            status=self.status.value,
            detail=self.detail,
            code=self.code,
            errors=self.errors,
        )


class Unauthorized(ApiError):
    """The request has no valid credentials."""

    status = HTTPStatus.UNAUTHORIZED
    code = "token_invalid"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(ApiError):
    """The user may see the resource, but may not do this to it."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class NotFound(ApiError):
    """The resource does not exist, or the user may not see it."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"

    def __init__(self, detail: str = "There is nothing here, or it is not yours.") -> None:
        super().__init__(detail)


class Conflict(ApiError):
    """The request contradicts the present state of the resource."""

    status = HTTPStatus.CONFLICT
    code = "conflict"


class InvalidTransition(Conflict):
    """The training job cannot do this in its present status."""

    code = "invalid_transition"


class InUse(Conflict):
    """The resource is still needed by another one."""

    code = "in_use"


class TooLarge(ApiError):
    """The body is larger than the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"


class TooSlow(ApiError):
    """The body of the request arrives too slowly."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "too_slow"


class Invalid(ApiError):
    """The request is not valid. `field` is the path in the body, such as `hyperparameters.lr0`."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "validation_failed"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        field: str | None = None,
        errors: Sequence[FieldProblem] | None = None,
    ) -> None:
        if field is not None:
            errors = [FieldProblem(field=field, code=code or self.code, message=detail)]
        super().__init__(detail, code=code, errors=errors)


class RateLimited(ApiError):
    """The client has made too many attempts."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, retry_after_seconds))})


class QuotaExceeded(ApiError):
    """The user has as many of something as allowed. `detail` says what to do; waiting does not help by itself."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "quota_exceeded"

    def __init__(self, detail: str, *, limit: int, used: int) -> None:
        params = {"limit": limit, "used": used}
        super().__init__(detail, errors=[FieldProblem(field="", code=self.code, message=detail, params=params)])


class DatabaseUnavailable(ApiError):
    """The database does not answer, or has no free connection."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "database_unavailable"

    def __init__(self, detail: str = "The database does not answer at the moment. Try again shortly.") -> None:
        super().__init__(detail, headers={"Retry-After": "2"})


class StorageUnavailable(ApiError):
    """The object storage does not answer, or refuses."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "storage_unavailable"

    def __init__(self, detail: str = "Object storage does not answer. Try again shortly.") -> None:
        super().__init__(detail, headers={"Retry-After": "10"})


class StorageFull(ApiError):
    """A disk has no room for more than what already runs."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    code = "storage_full"

    def __init__(
        self, detail: str = "The server's disk is full. Ask an administrator to free some space, and send it again."
    ) -> None:
        super().__init__(detail)
