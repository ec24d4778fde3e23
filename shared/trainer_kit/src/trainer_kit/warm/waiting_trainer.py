"""A trainer that is there before it has anything to do: forked with everything imported, it waits for its inputs."""

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
    """Satisfies `runner.trainer_process.Child`."""

    pid: int

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class WaitingTrainer:
    """The runner's side of it. If the runner ends without having had work for it, it ends too."""

    def __init__(self, pid: int, channel: socket.socket, its_fd: int, output_fd: int) -> None:
        self._pid = pid
        self._channel = channel
        self._its_fd = its_fd
        self._output_fd = output_fd

    @classmethod
    def fork(cls, *, not_for_it: Sequence[socket.socket]) -> Self:
        """Returns once it is in a session of its own. It gets none of the sockets `not_for_it`."""
        ours, theirs = socket.socketpair()
        output, its_output = os.pipe()
        pid = os.fork()
        if pid == 0:
            for each in (ours, *not_for_it):
                each.close()
            os.close(output)
            _become_trainer(theirs, its_output)
        theirs_fd = theirs.fileno()
        theirs.close()
        os.close(its_output)
        ours.recv(1)
        return cls(pid, ours, theirs_fd, output)

    def start(self, folder: AttemptFolder, inputs: TrainerInputs) -> TrainerProcess:
        """Gives it its work. Satisfies `runner.trainer_process.StartTrainer`.

        Where it was killed meanwhile, its exit code tells, as of any trainer.
        """
        work = {"folder": str(folder.path), "arguments": inputs.arguments(self._its_fd)}
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._channel.sendall(json.dumps(work).encode() + b"\n")
        return TrainerProcess(_ForkedChild(self._pid), self._channel, os.fdopen(self._output_fd, "rb"))


def _become_trainer(channel: socket.socket, output_fd: int) -> NoReturn:
    """Waits, trains, and ends the process."""
    code = 1
    try:
        os.setsid()
        os.dup2(output_fd, 1)
        os.dup2(output_fd, 2)
        os.close(output_fd)
        channel.send(b"\0")
        if (work := _receive_work(channel)) is None:
            exit_now(0)
        os.chdir(work["folder"])
        setproctitle(f"trainer: {AttemptFolder(Path.cwd())}")
        _forget_siblings()
        channel.detach()  # the trainer takes it over by its number
        code = trainer.main(work["arguments"])
    except BaseException:  # noqa: BLE001 - nothing may get back into the runner
        traceback.print_exc()
    finally:
        exit_now(code)


def _receive_work(channel: socket.socket) -> dict[str, Any] | None:
    line = b""
    while not line.endswith(b"\n"):
        if not (chunk := channel.recv(1 << 16)):
            return None
        line += chunk
    return json.loads(line)


def _forget_siblings() -> None:
    """What a fresh process draws by chance, and forked ones would have in common. (Python's own generator is seeded
    anew by every fork.)
    """
    np.random.seed()
    multiprocessing.current_process().authkey = os.urandom(AUTHKEY_BYTES)
