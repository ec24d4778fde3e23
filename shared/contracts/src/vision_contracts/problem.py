"""Errors as `application/problem+json` (RFC 9457), the same from the backend and from every service."""

from typing import Any

from pydantic import Field

from vision_contracts.base import Message

PROBLEM_CONTENT_TYPE = "application/problem+json"


class FieldProblem(Message):
    """An error in one field."""

    field: str = Field(description="Path such as `hyperparameters.lr0`, without `body.`.")
    code: str
    message: str
    params: dict[str, Any] | None = Field(
        default=None, description="Values of the message, such as `{limit, used}` of `quota_exceeded`."
    )


class Problem(Message):
    """An error. `code` is stable and for programs; `detail` is for people and says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] | None = Field(default=None, description="The first errors: at most 20.")
    errors_omitted: int | None = Field(default=None, description="Number of further errors, if not all are listed.")
