"""Work that waits in a table and is done in the background, one piece after the other."""

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
    """Takes the oldest piece that waits, again and again. The rows are the truth: whoever is killed over one leaves it
    as it was, and it is taken up again when its lease ends.
    """

    name: str

    def __init__(self) -> None:
        self._wakeup = asyncio.Event()
        self._is_closing = False

    @abstractmethod
    async def process_next(self) -> bool:
        """Do one piece; whether there was one."""

    async def tidy_up(self) -> None:
        """Called when nothing waits."""
        return

    def wake(self) -> None:
        """There is something new."""
        self._wakeup.set()

    async def run(self) -> None:
        """Until `close`."""
        while not self._is_closing:
            try:
                while not self._is_closing and await self.process_next():
                    pass
                await self.tidy_up()
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
        """End `run`, also in the middle of a piece.

        The flag is for a cancellation that meets the database's driver in a statement, and comes out as its error.
        """
        self._is_closing = True
        self._wakeup.set()
        running.cancel()
        await asyncio.wait({running})

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """At work. What it is at when it ends is done again later."""
        task = asyncio.create_task(self.run(), name=self.name)
        try:
            yield
        finally:
            await self.close(task)
