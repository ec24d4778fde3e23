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
CLOCK_TOLERANCE_SECONDS = 2.0


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
            folder.remember_trainer(psutil.Process(self._process.pid))

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

    def close(self) -> None:
        """Closes this end of its pipes; who still reads from them must have come to the end."""
        self.messages.close()
        self._socket.close()
        self.output.close()


def kill_leftovers(folder: AttemptFolder) -> None:
    """Ends what a dead runner has left running. Most often nothing: a trainer ends together with its runner."""
    identity = folder.trainer_identity()
    if identity is None:
        return
    pid, create_time = identity
    with contextlib.suppress(psutil.NoSuchProcess):
        if abs(psutil.Process(pid).create_time() - create_time) > CLOCK_TOLERANCE_SECONDS:
            return  # the number belongs to somebody else by now, so no process of the old group is left
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _trainer_environment() -> dict[str, str]:
    """The runner's environment without the credentials of the storage, which a trainer has no business with.

    The trainer's working directory must not become a place that modules are imported from.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(STORAGE_VARIABLES)}
    return kept | {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
