"""Bounded waits of tests."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(check: Callable[[], T | None], what: str, *, timeout_seconds: float = 30.0) -> T:
    """Call `check` until its result is true, and return the result. Raises TimeoutError, which says that `what` did not
    happen.
    """
    deadline = time.monotonic() + timeout_seconds
    while not (result := check()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {timeout_seconds:g} s")
        time.sleep(0.02)
    return result
