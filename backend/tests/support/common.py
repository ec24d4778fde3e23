"""Helpers of tests of several packages that are no fixtures."""

import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import bcrypt
import httpx
from fastapi import FastAPI
from sqlalchemy import event

from vision_api.models import User
from vision_api.platform import hold_platform, platform_of

PASSWORD = "correct horse battery"
CHEAP_ROUNDS = 4
PASSWORD_HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(CHEAP_ROUNDS)).decode()
COLORS = {"blue": (40, 60, 200), "red": (200, 50, 40)}
JWT_SECRET = "f1ad0e55b27a4c9d8e6013579bdf2468ace0"

MakeUser = Callable[..., Awaitable[User]]
AuthHeaders = Callable[[User], Awaitable[dict[str, str]]]


def problem_of(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem in an answer, which must be one of this status and code."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem: dict[str, Any] = response.json()
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert response.status_code == status
    assert problem["title"]
    assert problem["detail"]
    return problem


def fields_of(problem: dict[str, Any]) -> list[str]:
    """The fields that a problem names."""
    return [error["field"] for error in problem["errors"]]


class Clock:
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def __call__(self) -> float:
        return self.now


def refused_address() -> str:
    """`host:port` where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def replace_parts(app: FastAPI, **parts: Any) -> None:
    """Give the application other parts of its platform: `replace_parts(app, settings=…)`."""
    hold_platform(app, replace(platform_of(app), **parts))


@contextmanager
def counted_statements(app: FastAPI) -> Iterator[list[str]]:
    """Every SQL statement that is sent meanwhile."""
    statements: list[str] = []

    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    engine = platform_of(app).database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    yield statements
    event.remove(engine, "before_cursor_execute", count)
