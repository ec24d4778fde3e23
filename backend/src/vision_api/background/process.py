"""Processes of workers: what may block, crash or eat memory runs in one, within limits."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from http_kit.children import BASE, SAME_PYTHON, child_environment, open_process
from vision_api.db.network_guard import forbid_in_session


@dataclass(frozen=True)
class Limits:
    """Longest time in all, and longest time without a line of output."""

    seconds: float
    idle_seconds: float | None = None


@dataclass(frozen=True)
class Command:
    """A module to run with this Python. It has the variables that any program needs, and those that are named here."""

    module: str
    arguments: tuple[str, ...] = ()
    input: bytes = field(default=b"", repr=False)
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further variables of its environment."""
    allowed: tuple[str, ...] = ()
    """Names, and prefixes with `*`, of variables of the backend that it gets too."""


class ProcessCrashed(Exception):
    """The process ended without a result, for lack of memory for example."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


class ProcessTimedOut(Exception):
    """The process was killed: it made no progress, or took too long."""


async def run_process(command: Command, limits: Limits, on_line: Callable[[bytes], None] | None = None) -> bytes:
    """Run a module in a process that ends with this call; Ctrl-C in the terminal does not reach it.

    Gives each line of its output to `on_line`, and returns the last one.
    Raises ProcessCrashed, ProcessTimedOut, OSError.
    """
    forbid_in_session("a process")
    process = await open_process(
        [sys.executable, "-m", command.module, *command.arguments],
        child_environment(os.environ, (*BASE, *SAME_PYTHON, *command.allowed), command.values),
        stdin=asyncio.subprocess.PIPE,
    )
    try:
        last = await _read_output(process, command.input, limits, on_line)
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if process.returncode != 0:
        raise ProcessCrashed(process.returncode or 0)
    return last


async def _read_output(
    process: asyncio.subprocess.Process, sent: bytes, limits: Limits, on_line: Callable[[bytes], None] | None
) -> bytes:
    """Read lines until the process ends, and return the last one. Raises ProcessTimedOut."""
    assert process.stdin is not None  # noqa: S101 - pipes, as the process is started
    assert process.stdout is not None  # noqa: S101
    last = b""
    idle = asyncio.timeout(limits.idle_seconds)
    try:
        async with asyncio.timeout(limits.seconds), idle:
            with suppress(BrokenPipeError, ConnectionResetError):  # an early end, which its exit code explains
                process.stdin.write(sent)
                await process.stdin.drain()
            process.stdin.close()
            async for line in process.stdout:
                last = line
                if limits.idle_seconds is not None:
                    idle.reschedule(asyncio.get_running_loop().time() + limits.idle_seconds)
                if on_line is not None:
                    on_line(line)
            await process.wait()
    except TimeoutError as error:
        is_idle = idle.expired()
        limit = (
            f"made no progress for {limits.idle_seconds:g} s" if is_idle else f"took longer than {limits.seconds:g} s"
        )
        raise ProcessTimedOut(limit) from error
    return last
