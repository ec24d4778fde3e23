"""The HTTP server with its handling of signals."""

import asyncio
import logging
import signal
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from socket import socket

import uvicorn
from fastapi import FastAPI

from vision_api.config import Settings
from vision_api.platform import find_platform
from vision_api.process.banner import announce
from vision_api.process.connections import bounded_protocol, connection_limits
from vision_api.process.sockets import BACKLOG

logger = logging.getLogger(__name__)

HANG_UP_SECONDS = 1
"""Time for open requests once the server stops. Streams never end by themselves."""

CANCEL_SECONDS = 3
"""Time after which a request is cancelled that does not notice that its client is gone."""


class PlatformServer(uvicorn.Server):
    """Ends in order on the first signal: stop accepting, pause the local jobs, end the services.

    The second signal takes away their time to write a checkpoint. Even then nothing is left running; uvicorn's own
    fast exit would skip the shut-down of the application.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # the application looks at them, and only from TRUSTED_PROXIES
                timeout_graceful_shutdown=CANCEL_SECONDS,
                http=bounded_protocol(connection_limits(settings)),
                ws="none",
                backlog=BACKLOG,
            )
        )
        self._app = app
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Serve, then print the start message."""
        await super().startup(sockets)
        if self.started and sockets:
            self._create_task(announce(self._app, self._settings, port=sockets[0].getsockname()[1]))

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop accepting, hang up, shut the application down."""
        self._create_task(self._hang_up())
        await super().shutdown(sockets)

    async def _hang_up(self) -> None:
        """Close the connections: to a request its client is gone, which every stream handles. uvicorn would cancel
        each, with a traceback.
        """
        await asyncio.sleep(HANG_UP_SECONDS)
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle signals in the event loop, and end with status 0 after one."""
        loop = asyncio.get_running_loop()
        handled = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup
            handled.append(signal.SIGHUP)
        for number in handled:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    def _on_signal(self, number: signal.Signals) -> None:
        if not self.should_exit:
            self.should_exit = True
            logger.info("%s: stopping. Running jobs are paused; a second signal skips their checkpoints.", number.name)
            return
        logger.warning("%s again: jobs get no time for a checkpoint", number.name)
        platform = find_platform(self._app)
        if platform is not None:
            self._create_task(platform.registry.stop_waiting())

    def _create_task(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
