"""Waiting in tests: bounded, and no longer than needed."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(look: Callable[[], T | None], what: str, *, timeout_seconds: float = 30.0) -> T:
    """The first result of `look` that is true. Raises TimeoutError that says what did not happen."""
    deadline = time.monotonic() + timeout_seconds
    while not (result := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {timeout_seconds:g} s")
        time.sleep(0.02)
    return result
