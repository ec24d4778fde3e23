"""Notifications of other processes (PostgreSQL's LISTEN), on a connection outside of the pool."""

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
"""Interval of the check that notices a connection whose other end has vanished."""

_connect = cast("Callable[..., Awaitable[Any]]", asyncpg.connect)  # pyright: ignore[reportUnknownMemberType] - no types

Channels = Mapping[str, Callable[[str], None]]
"""Callbacks by channel, called with the payload of each notification."""


class Listener:
    """Listens for as long as it runs, and reconnects by itself.

    A notification only wakes: pollers find what is missed while there is no connection.
    """

    def __init__(self, engine: AsyncEngine, channels: Channels, *, on_connected: Callable[[], None]) -> None:
        _, parameters = engine.dialect.create_connect_args(engine.url)
        self._parameters: dict[str, Any] = dict(parameters)
        self._parameters.pop("prepared_statement_cache_size", None)  # SQLAlchemy's own
        self._channels = channels
        self._on_connected = on_connected
        self._failures = 0

    async def run(self) -> None:
        """Listen until cancelled."""
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

            def mark_lost(_connection: object) -> None:
                is_lost.set()

            connection.add_termination_listener(mark_lost)
            for channel in self._channels:
                await connection.add_listener(channel, self._on_notification)
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

    def _on_notification(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._channels[channel](str(payload))


@asynccontextmanager
async def running_listener(
    engine: AsyncEngine, channels: Channels, *, on_connected: Callable[[], None]
) -> AsyncGenerator[None]:
    """Run a listener on PostgreSQL; SQLite has no other processes."""
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
