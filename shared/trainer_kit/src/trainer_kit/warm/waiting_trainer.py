"""A trainer that is forked ahead, with everything imported, and waits for its inputs."""

import contextlib
import json
import multiprocessing
import os
import socket
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
from setproctitle import setproctitle

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.runner.trainer_process import TrainerProcess
from trainer_kit.trainer import main as trainer
from trainer_kit.trainer.exiting import exit_now
from trainer_kit.trainer.main import TrainerInputs

AUTHKEY_BYTES = 32


@dataclass(frozen=True)
class _ForkedChild:
    """A forked process. Satisfies `runner.trainer_process.Child`."""

    pid: int

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class WaitingTrainer:
    """The runner's handle of a waiting trainer, which ends with the runner if it is never started."""

    def __init__(self, pid: int, channel: socket.socket, trainer_fd: int, output_fd: int) -> None:
        self._pid = pid
        self._channel = channel
        self._trainer_fd = trainer_fd
        self._output_fd = output_fd

    @classmethod
    def fork(cls, *, close_in_child: Sequence[socket.socket]) -> Self:
        """Fork a trainer. Returns once it is in its own session. It closes the sockets `close_in_child`."""
        ours, theirs = socket.socketpair()
        output, trainer_output = os.pipe()
        pid = os.fork()
        if pid == 0:
            for each in (ours, *close_in_child):
                each.close()
            os.close(output)
            _become_trainer(theirs, trainer_output)
        theirs_fd = theirs.fileno()
        theirs.close()
        os.close(trainer_output)
        ours.recv(1)
        return cls(pid, ours, theirs_fd, output)

    def start(self, folder: AttemptFolder, inputs: TrainerInputs) -> TrainerProcess:
        """Start the training. Satisfies `runner.trainer_process.StartTrainer`.

        If it was killed meanwhile, its exit code shows it, as that of any trainer.
        """
        start = {"folder": str(folder.path), "arguments": inputs.arguments(self._trainer_fd)}
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._channel.sendall(json.dumps(start).encode() + b"\n")
        return TrainerProcess(_ForkedChild(self._pid), self._channel, os.fdopen(self._output_fd, "rb"))


def _become_trainer(channel: socket.socket, output_fd: int) -> NoReturn:
    """Wait for the start, train, and end the process."""
    code = 1
    try:
        os.setsid()
        os.dup2(output_fd, 1)
        os.dup2(output_fd, 2)
        os.close(output_fd)
        channel.send(b"\0")
        if (start := _receive_start(channel)) is None:
            exit_now(0)
        os.chdir(start["folder"])
        setproctitle(f"trainer: {AttemptFolder(Path.cwd())}")
        _reseed()
        channel.detach()  # the trainer takes it over by its number
        code = trainer.main(start["arguments"])
    except BaseException:  # noqa: BLE001 - nothing may get back into the runner
        traceback.print_exc()
    finally:
        exit_now(code)


def _receive_start(channel: socket.socket) -> dict[str, Any] | None:
    line = b""
    while not line.endswith(b"\n"):
        if not (chunk := channel.recv(1 << 16)):
            return None
        line += chunk
    return json.loads(line)


def _reseed() -> None:
    """Reseed what forked processes would share, and fresh ones draw at random.

    Python's own generator is reseeded by every fork.
    """
    np.random.seed()
    multiprocessing.current_process().authkey = os.urandom(AUTHKEY_BYTES)
