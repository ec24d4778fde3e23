"""What other processes announce through PostgreSQL: one connection of its own that listens, outside of the pool."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from vision_api.db.engine import CONNECT_SECONDS

logger = logging.getLogger(__name__)

BACK_OFF_SECONDS = (0.2, 1.0, 5.0, 15.0)
STILL_THERE_SECONDS = 30.0
"""A connection whose other end has vanished without a word is noticed by this question."""

_connect = cast("Callable[..., Awaitable[Any]]", asyncpg.connect)  # pyright: ignore[reportUnknownMemberType] - no types

Channels = Mapping[str, Callable[[str], None]]
"""What to do with each announcement's text."""


class Listener:
    """Listens for as long as it runs, and connects again by itself.

    An announcement only wakes: what is missed while there is no connection is found by those who poll.
    """

    def __init__(self, engine: AsyncEngine, channels: Channels, *, on_connected: Callable[[], None]) -> None:
        _, parameters = engine.dialect.create_connect_args(engine.url)
        self._parameters: dict[str, Any] = dict(parameters)
        self._parameters.pop("prepared_statement_cache_size", None)  # SQLAlchemy's own
        self._channels = channels
        self._on_connected = on_connected
        self._failures = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if self._failures == 0:
                    logger.warning("other backends cannot wake this one for now; it polls: %s", error)
            await asyncio.sleep(BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS) - 1)])
            self._failures += 1

    async def _listen(self) -> None:
        connection = await _connect(
            **self._parameters, timeout=CONNECT_SECONDS, server_settings={"application_name": "vision-api-listener"}
        )
        try:
            is_lost = asyncio.Event()

            def lose_attempt(_connection: object) -> None:
                is_lost.set()

            connection.add_termination_listener(lose_attempt)
            for channel in self._channels:
                await connection.add_listener(channel, self._hear)
            if self._failures:
                logger.info("other backends can wake this one again")
            self._failures = 0
            self._on_connected()
            while not is_lost.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(is_lost.wait(), STILL_THERE_SECONDS)
                    continue
                await connection.execute("SELECT 1", timeout=CONNECT_SECONDS)
            raise ConnectionError("the connection was lost")
        finally:
            connection.terminate()

    def _hear(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._channels[channel](str(payload))


@asynccontextmanager
async def running_listener(
    engine: AsyncEngine, channels: Channels, *, on_connected: Callable[[], None]
) -> AsyncGenerator[None]:
    """A listener on PostgreSQL; on SQLite there is nobody to listen to."""
    if engine.dialect.name != "postgresql":
        yield
        return
    listening = asyncio.create_task(Listener(engine, channels, on_connected=on_connected).run(), name="listener")
    try:
        yield
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
