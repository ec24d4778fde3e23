"""What is done while the backend starts is done again for as long as the database is not there yet."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from vision_api.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
T = TypeVar("T")


async def retry_until_available(work: Callable[[], Awaitable[T]], *, within_seconds: float) -> T:
    """The result of `work`. Raises DatabaseUnavailable when the time is over."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            return await work()
        except DatabaseUnavailable as error:
            if time.monotonic() >= deadline:
                raise
            logger.info("waiting for the database: %s", error.__cause__ or error)
            await asyncio.sleep(RETRY_SECONDS)
