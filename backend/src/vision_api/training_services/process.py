"""One run of a training service as a subprocess."""

import asyncio
import logging
import os
import secrets
import signal
import socket
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from http_kit.children import ChildEnvironment, open_process, with_values
from vision_api.db.network_guard import forbid_in_session
from vision_api.training_services.lines import LineTooLong, split_lines
from vision_api.training_services.service_log import log_line

logger = logging.getLogger(__name__)

LISTEN_POLL_SECONDS = 0.1
DRAIN_SECONDS = 1.0
CHUNK_BYTES = 64 * 1024


def free_port() -> int:
    """Return a port on loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Program:
    """The executable of a service, with its working directory and environment."""

    name: str
    executable: Path
    folder: Path
    environment: ChildEnvironment = field(repr=False)


class ServiceProcess:
    """A service that was started, up to its end.

    It is in a session of its own, so that a Ctrl-C at the terminal reaches the backend only. It holds the read end of
    a pipe whose write end is ours: when we die, however we die, it reads the end of file and exits.
    """

    def __init__(self, program: Program, process: Process, *, port: int, token: str, pipe: int) -> None:
        self.program = program
        self.url = f"http://127.0.0.1:{port}"
        self.token = token
        self._port = port
        self._process = process
        self._pipe: int | None = pipe
        self._log = asyncio.create_task(self._forward_log(), name=f"{program.name}-log")

    @classmethod
    async def start(cls, program: Program) -> Self:
        """Start it on a free port with a new token. Raises OSError."""
        forbid_in_session("a process")
        program.folder.mkdir(parents=True, exist_ok=True)
        port, token = free_port(), secrets.token_urlsafe(32)
        read_end, write_end = os.pipe()
        own = {"HOST": "127.0.0.1", "PORT": str(port), "SERVICE_TOKEN": token, "PARENT_PIPE_FD": str(read_end)}
        try:
            process = await open_process(
                [str(program.executable)],
                with_values(program.environment, {**own, "DATA_DIR": str(program.folder)}),
                folder=program.folder,
                stderr=STDOUT,
                pass_fds=(read_end,),
            )
        except BaseException:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        return cls(program, process, port=port, token=token, pipe=write_end)

    @property
    def pid(self) -> int:
        """Return the process id, which is the process group's as well."""
        return self._process.pid

    async def wait_until_listening(self) -> bool:
        """Wait until the port accepts connections; return False if the process ended before."""
        while self._process.returncode is None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.close()
                return True
            await asyncio.sleep(LISTEN_POLL_SECONDS)
        return False

    async def wait(self) -> int:
        """Wait for the end; return the exit status, negative for a signal."""
        status = await self._process.wait()
        self.close_pipe()
        # A runner that it leaves behind may hold its output open: read what is there, and no longer.
        await asyncio.wait([self._log], timeout=DRAIN_SECONDS)
        self._log.cancel()
        return status

    def close_pipe(self) -> None:
        """Let it exit at once and leave its runners alone, as our death would."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def terminate(self) -> None:
        """Let it pause what it runs, and exit."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End its processes at once. Its runners have sessions of their own."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def _forward_log(self) -> None:
        """Log the output line by line, to its end: a process stops at a full pipe."""
        while not self._stdout.at_eof():
            try:
                async for line in split_lines(self._output()):
                    if text := line.decode(errors="replace").rstrip():
                        log_line(self.program.name, text)
            except LineTooLong as error:
                logger.warning("[%s] skipping %s", self.program.name, error)

    @property
    def _stdout(self) -> asyncio.StreamReader:
        assert self._process.stdout is not None  # noqa: S101 - asked for with PIPE
        return self._process.stdout

    async def _output(self) -> AsyncGenerator[bytes]:
        while chunk := await self._stdout.read(CHUNK_BYTES):
            yield chunk
