"""Processes that draw previews, kept warm: an image of a stranger is decoded in one of them, never in the backend."""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from http_kit.children import BASE, SAME_PYTHON, child_environment, open_process
from vision_api.background.confinement import ONE_THREAD
from vision_api.datasets.previews import drawing_process
from vision_api.datasets.previews.messages import DrawingAnswer, DrawingRequest, Outcome
from vision_api.db.network_guard import forbid_in_session

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Processes, and pictures that are drawn at the same time; others wait."""
SECONDS = 60.0
"""Time for one picture. The largest image takes five seconds, and a process some to start."""


class DrawerDied(Exception):
    """The process ended while it drew, for lack of memory for example, or took too long. The message continues a
    sentence about it.
    """


class Drawers:
    """Pool of drawing processes, each started when it is first needed, and again if it has died."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._idle: list[Process] = []
        self._started: list[Process] = []

    async def draw(self, request: DrawingRequest) -> tuple[DrawingAnswer, bytes]:
        """Return the answer of a process, with the picture. Raises DrawerDied, OSError."""
        forbid_in_session("a process")
        async with self._free:
            process = await self._take()
            try:
                async with asyncio.timeout(SECONDS):
                    answer = await _ask(process, request)
            except TimeoutError:
                raise DrawerDied(f"took longer than {SECONDS:g} s") from None
            except (EOFError, ConnectionError) as error:
                code = await process.wait()
                log.warning("a process that drew previews ended with exit code %d", code)
                raise DrawerDied(f"ended with exit code {code}") from error
            else:
                self._idle.append(process)
                return answer
            finally:
                if process not in self._idle:  # also if the request was cancelled: half of an answer may be left
                    await _end(process)
                    self._started.remove(process)

    async def close(self) -> None:
        """End all processes."""
        for process in self._started:
            await _end(process)
        self._started.clear()
        self._idle.clear()

    async def _take(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            self._started.remove(process)
        process = await open_process(
            [sys.executable, "-m", drawing_process.__name__],
            child_environment(os.environ, (*BASE, *SAME_PYTHON), ONE_THREAD),
            stdin=PIPE,
        )
        self._started.append(process)
        return process


async def _ask(process: Process, request: DrawingRequest) -> tuple[DrawingAnswer, bytes]:
    assert process.stdin is not None  # noqa: S101 - pipes, as the process is started
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(drawing_process.request_json.dump_json(request) + b"\n")
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    answer = drawing_process.answer_json.validate_json(line)
    length = answer.length if answer.outcome is Outcome.DRAWN else 0
    return answer, await process.stdout.readexactly(length)


async def _end(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    await asyncio.shield(process.wait())


@asynccontextmanager
async def running_drawers() -> AsyncGenerator[Drawers]:
    """Keep drawing processes for as long as the application runs."""
    drawers = Drawers()
    try:
        yield drawers
    finally:
        await drawers.close()
