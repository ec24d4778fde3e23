"""Waiting for what other tasks and processes do, with a bound."""

import asyncio
import time
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], Any], *, within_seconds: float = 10.0) -> None:
    """Return once the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, f"this did not happen within {within_seconds} s"
        await asyncio.sleep(0.02)
