"""Retries while the database does not answer yet, as at the start of the backend."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from vision_api.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
T = TypeVar("T")


async def retry_until_available(operation: Callable[[], Awaitable[T]], *, within_seconds: float) -> T:
    """Call `operation` until the database answers, and return its result. Raises DatabaseUnavailable after the time."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            return await operation()
        except DatabaseUnavailable as error:
            if time.monotonic() >= deadline:
                raise
            logger.info("waiting for the database: %s", error.__cause__ or error)
            await asyncio.sleep(RETRY_SECONDS)
