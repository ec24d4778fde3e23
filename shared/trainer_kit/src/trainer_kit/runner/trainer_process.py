"""The trainer as a process: started in a group of its own, watched, signalled and reaped with all its children."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from typing import IO, cast

import psutil

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.trainer.main import TrainerInputs

STORAGE_VARIABLES = ("AWS_", "AZURE_", "GOOGLE_", "STORAGE_URL")
LEFTOVER_SECONDS = 5.0


class TrainerProcess:
    """A running trainer. `messages` and `output` end when the last process of its group has ended."""

    def __init__(self, folder: AttemptFolder, inputs: TrainerInputs) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "trainer_kit.trainer", *inputs.arguments(theirs.fileno())],
                cwd=folder.path,
                env=_trainer_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._socket = ours
        self.messages: IO[bytes] = ours.makefile("rb")
        self.output: IO[bytes] = cast("IO[bytes]", self._process.stdout)
        with contextlib.suppress(psutil.NoSuchProcess):
            folder.remember_process("trainer", psutil.Process(self._process.pid))

    def is_running(self) -> bool:
        """Whether the trainer itself runs. It is not reaped by asking, so that its group keeps its number."""
        if self._process.returncode is not None:
            return False
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def send_signal(self, number: signal.Signals) -> None:
        """To the trainer and everything that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: a group of zombies only
            os.killpg(self._process.pid, number)

    def reap(self) -> int:
        """Kills what the trainer has left behind, and returns its exit code (negative: the signal that ended it)."""
        self.send_signal(signal.SIGKILL)
        return self._process.wait()


def kill_leftovers(folder: AttemptFolder) -> None:
    """Ends what a dead runner has left running. Most often nothing: a trainer ends together with its runner."""
    trainer = folder.find_process("trainer")
    if trainer is None or trainer.owner() == "another":  # a number is not given anew while its group has members
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(trainer.pid, signal.SIGKILL)
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while trainer.owner() == "itself" and time.monotonic() < deadline:
        time.sleep(0.02)


def _trainer_environment() -> dict[str, str]:
    """The runner's environment without the credentials of the storage, which a trainer has no business with.

    The trainer's working directory must not become a place that modules are imported from. Threads that wait for each
    other sleep: by default they spin, and trainings that share their cores then slow each other down many times over.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(STORAGE_VARIABLES)}
    return {"OMP_WAIT_POLICY": "PASSIVE"} | kept | {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
