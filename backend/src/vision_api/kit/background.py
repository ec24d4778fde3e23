"""Workers that process the rows of a table in the background, one after the other."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from data_kit import StorageError
from vision_api.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0


class Worker(ABC):
    """Processes the oldest waiting row, again and again. State is in the rows only: when the process is killed, the row
    stays as it was and is processed again after its lease.
    """

    name: str

    def __init__(self) -> None:
        self._wakeup = asyncio.Event()
        self._is_closing = False

    @abstractmethod
    async def process_next(self) -> bool:
        """Process one row; return whether there was one."""

    async def clean_up(self) -> None:
        """Clean up when no row waits; nothing by default."""
        return

    def wake(self) -> None:
        """Check for new rows now."""
        self._wakeup.set()

    async def run(self) -> None:
        """Process rows until `close`."""
        while not self._is_closing:
            try:
                while not self._is_closing and await self.process_next():
                    pass
                await self.clean_up()
            except (DatabaseUnavailable, StorageError) as error:
                log.warning("%s wait: %s", self.name, error)
            except Exception:
                if not self._is_closing:
                    log.exception("%s failed in this round", self.name)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wakeup.wait()
            self._wakeup.clear()

    async def close(self, running: "asyncio.Task[None]") -> None:
        """End `run`, also in the middle of a row.

        The flag is for a cancellation that meets the database's driver in a statement, and comes out as its error.
        """
        self._is_closing = True
        self._wakeup.set()
        running.cancel()
        await asyncio.wait({running})

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run the worker in a task. A row that it is at when the context ends is processed again later."""
        task = asyncio.create_task(self.run(), name=self.name)
        try:
            yield
        finally:
            await self.close(task)
