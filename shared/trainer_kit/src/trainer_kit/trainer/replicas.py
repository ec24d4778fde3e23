"""The processes that train together, from the first one's side: forked when all is imported and read, and gone with it.

Each replica holds one end of a channel to the first process, by which it tells why it failed. It ends when that channel
does. They share the trainer's process group, so that whoever signals the trainer reaches them too.
"""

import contextlib
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from setproctitle import setproctitle

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.trainer.channel import Channel
from trainer_kit.trainer.errors import Stopped, TrainingError
from trainer_kit.trainer.exiting import exit_now
from trainer_kit.trainer.failures import report_failure
from trainer_kit.trainer.messages import Message, message_adapter
from trainer_kit.trainer.run import TrainingRun
from trainer_kit.trainer.world import HOST, World
from vision_contracts import EndReason, Failed

CAUSE_SECONDS = 3.0
"""How long a failed first process waits for another one's failure, which may be why."""
FOLDER = "replicas"

Run = TrainingRun[Any]
Operation = Callable[[Any], None]


def run_replicas(run: Run, run_operation: Operation, send: Callable[[Message], None]) -> None:
    """`run_operation(run)` in as many processes as the job has devices; returns or raises as the first one does.

    Where another one fails, its failure is sent and this process ends.
    """
    _check(run)
    replicas = Replicas(send)
    try:
        replicas.fork(run, run_operation)
        run_operation(run)
    except (Stopped, TrainingError):
        raise
    except Exception:
        replicas.yield_to_root_cause()
        raise
    finally:
        replicas.dismiss()


def _check(run: Run) -> None:
    """Raises TrainingError for what no framework can train."""
    size, images = run.spec.params.num_devices, len(run.dataset["train"])
    if sys.platform != "linux":  # elsewhere the libraries do not survive a fork
        message = "num_devices: several devices train together on Linux only. Set it to 1."
        raise TrainingError(EndReason.BAD_HYPERPARAMETERS, message)
    if images < size:
        message = f"num_devices: {images} training images do not go round {size} devices. Set it to {max(1, images)}."
        raise TrainingError(EndReason.BAD_HYPERPARAMETERS, message)


class Replicas:
    """Started, watched, and ended with the training."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._pids: list[int] = []
        self._channels: list[socket.socket] = []
        self._are_dismissed = False
        self._one_has_died = threading.Event()

    def fork(self, run: Run, run_operation: Operation) -> None:
        """Makes this process the first one. Must come before a thread that computes, and before any CUDA."""
        size = run.spec.params.num_devices
        listening = socket.create_server((HOST, 0))
        port = listening.getsockname()[1]
        for rank in range(1, size):
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if pid == 0:
                not_for_it = (listening, ours, *self._channels)
                _become_replica(run, run_operation, World(rank, size, port), Channel(theirs.detach()), not_for_it)
            theirs.close()
            self._pids.append(pid)
            self._channels.append(ours)
        run.world = World(0, size, port, listening.detach())
        os.environ.update(run.world.environment())
        for rank, pid in enumerate(self._pids, start=1):
            threading.Thread(target=self._watch, args=(rank, pid), name=f"replica-{rank}", daemon=True).start()

    def yield_to_root_cause(self) -> None:
        """For a failure here that may be the echo of another one's, such as a broken connection: that one is told."""
        if self._one_has_died.wait(CAUSE_SECONDS):
            time.sleep(CAUSE_SECONDS)  # in which the watching thread ends this process

    def dismiss(self) -> None:
        """Ends those that are left. They have nothing to keep."""
        self._are_dismissed = True
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _watch(self, rank: int, pid: int) -> None:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # not reaped, so that its number is not given anew
        if ended is None or self._are_dismissed or (ended.si_code, ended.si_status) == (os.CLD_EXITED, 0):
            return
        self._one_has_died.set()
        if ended.si_code != os.CLD_EXITED:
            _die_by(signal.Signals(ended.si_status), f"Process {rank} of this training was killed by ")
        silent = Failed(
            reason=EndReason.INTERNAL,
            message=f"Process {rank} of this training ended with exit code {ended.si_status} and without a word. "
            "Retry it, and report it with its log if it happens again.",
        )
        for message in self._told_by(rank) or [silent]:
            self._send(message)
        exit_now(1)

    def _told_by(self, rank: int) -> list[Message]:
        channel, lines = self._channels[rank - 1], b""
        channel.setblocking(False)  # what the replica has forked may still hold its end
        with contextlib.suppress(OSError):
            while chunk := channel.recv(1 << 16):
                lines += chunk
        return [message_adapter.validate_json(line) for line in lines.splitlines()]


def _die_by(number: signal.Signals, text: str) -> NoReturn:
    """The trainer dies as its replica did: what that means is decided in one place, by the runner."""
    sys.stderr.write(f"{text}{number.name}.\n")
    sys.stderr.flush()
    faulthandler.disable()
    os.kill(os.getpid(), number)
    exit_now(1)


def _become_replica(
    run: Run, run_operation: Operation, world: World, channel: Channel, not_for_it: Sequence[socket.socket]
) -> NoReturn:
    """Does the same as the first process, tells nothing but a failure, and ends the process."""
    code = 1
    try:
        for inherited in not_for_it:
            inherited.close()
        channel.exit_with_reader()
        setproctitle(f"trainer: {AttemptFolder(run.folder)}, process {world.rank}")
        os.environ.update(world.environment())
        folder = run.folder / FOLDER / str(world.rank)
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        run = replace(run, folder=folder, send=_keep_silent, world=world)
        run_operation(run)
        code = 0
    except Stopped:
        code = 0
    except BaseException as error:  # noqa: BLE001 - whatever it is, the user must learn of it
        report_failure(error, run.folder, channel.send, run.device_batch_size)
    finally:
        exit_now(code)


def _keep_silent(_message: Message) -> None:
    """The first process tells it."""
