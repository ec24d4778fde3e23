"""The trainer's process: in its own process group, signalled and reaped with all its children."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Protocol, cast

import psutil

from http_kit.children import start_process
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.environments import runner_environment, trainer_environment
from trainer_kit.settings import RunnerSettings
from trainer_kit.trainer.main import TrainerInputs

LEFTOVER_SECONDS = 5.0


class Child(Protocol):
    """A child process, started by any means: `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...

    def wait(self) -> int:
        """Reap it. Returns the exit code; negative for the signal that ended it."""
        ...


class TrainerProcess:
    """A running trainer. `messages` and `output` end when the last process of its group has ended."""

    def __init__(self, child: Child, channel: socket.socket, output: IO[bytes]) -> None:
        self._child = child
        self._exit_code: int | None = None
        self.messages: IO[bytes] = channel.makefile("rb")
        channel.close()  # once `messages` is closed too
        self.output = output

    @property
    def pid(self) -> int:
        """The PID, which is that of its process group as well."""
        return self._child.pid

    def is_running(self) -> bool:
        """Return whether the trainer itself runs. Does not reap it, so that its group keeps its number."""
        if self._exit_code is not None:
            return False
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return cast("subprocess.Popen[bytes]", self._child).poll() is None
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the trainer and all processes of its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: a group of zombies only
            os.killpg(self.pid, number)

    def reap(self) -> int:
        """Kill its remaining processes, and return its exit code (negative: the signal that ended it)."""
        self.send_signal(signal.SIGKILL)
        self._exit_code = self._child.wait()
        return self._exit_code


StartTrainer = Callable[[AttemptFolder, TrainerInputs], TrainerProcess]
"""Function that starts the trainer in the attempt's folder: as a fresh process, or one that was kept waiting."""


def spawn_trainer(folder: AttemptFolder, inputs: TrainerInputs) -> TrainerProcess:
    """Start the trainer as a fresh process, which has everything to import yet."""
    ours, theirs = socket.socketpair()
    try:
        process = start_process(
            [sys.executable, "-m", "trainer_kit.trainer", *inputs.arguments(theirs.fileno())],
            trainer_environment(runner_environment(RunnerSettings())),
            folder=folder.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[theirs.fileno()],
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return TrainerProcess(process, ours, cast("IO[bytes]", process.stdout))


def remember_trainer(folder: AttemptFolder, trainer: TrainerProcess) -> None:
    """Record the trainer's process, so that it can be ended later."""
    with contextlib.suppress(psutil.NoSuchProcess):
        folder.remember_process("trainer", psutil.Process(trainer.pid))


def kill_leftovers(folder: AttemptFolder) -> None:
    """Kill the processes that a dead runner has left; mostly none: a trainer ends with its runner."""
    trainer = folder.find_process("trainer")
    if trainer is None or trainer.owner() == "another":  # a PID is not reused while its process group has members
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(trainer.pid, signal.SIGKILL)
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while trainer.owner() == "itself" and time.monotonic() < deadline:
        time.sleep(0.02)
