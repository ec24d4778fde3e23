"""The processes that train one job on several devices: the trainer is the first one, and forks the others (replicas)
when everything is imported and read.

Each replica has a channel to the first process. It reports its failure by it, and ends when the channel is closed. The
replicas share the trainer's process group, so that a signal to the group reaches them too.
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
"""Time that a failed first process waits for the failure of a replica, which may be the cause."""
FOLDER = "replicas"

Run = TrainingRun[Any]
EntryPoint = Callable[[Any], None]


def run_replicas(run: Run, train: EntryPoint, send: Callable[[Message], None]) -> None:
    """Call `train(run)` in as many processes as the job has devices; return or raise as the first one does.

    If a replica fails, its failure is sent and this process ends.
    """
    _check(run)
    replicas = Replicas(send)
    try:
        replicas.fork(run, train)
        train(run)
    except (Stopped, TrainingError):
        raise
    except Exception:
        replicas.yield_to_root_cause()
        raise
    finally:
        replicas.kill()


def _check(run: Run) -> None:
    """Check that the job can be split. Raises TrainingError for another system than Linux, and for too few images."""
    size, images = run.spec.params.num_devices, len(run.dataset["train"])
    if sys.platform != "linux":  # elsewhere the libraries do not survive a fork
        message = "num_devices: several devices train together on Linux only. Set it to 1."
        raise TrainingError(EndReason.BAD_HYPERPARAMETERS, message)
    if images < size:
        message = f"num_devices: {images} training images are too few for {size} devices. Set it to {max(1, images)}."
        raise TrainingError(EndReason.BAD_HYPERPARAMETERS, message)


class Replicas:
    """The other processes of a training: forks them, watches them, and kills them at the end."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._pids: list[int] = []
        self._channels: list[socket.socket] = []
        self._are_killed = False
        self._one_has_died = threading.Event()

    def fork(self, run: Run, train: EntryPoint) -> None:
        """Fork the replicas, and make this process the first one of the world. Call it before any thread computes and
        before CUDA is initialised.
        """
        size = run.spec.params.num_devices
        listening = socket.create_server((HOST, 0))
        port = listening.getsockname()[1]
        for rank in range(1, size):
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if pid == 0:
                not_for_it = (listening, ours, *self._channels)
                _become_replica(run, train, World(rank, size, port), Channel(theirs.detach()), not_for_it)
            theirs.close()
            self._pids.append(pid)
            self._channels.append(ours)
        run.world = World(0, size, port, listening.detach())
        os.environ.update(run.world.environment())
        for rank, pid in enumerate(self._pids, start=1):
            threading.Thread(target=self._watch, args=(rank, pid), name=f"replica-{rank}", daemon=True).start()

    def yield_to_root_cause(self) -> None:
        """Wait for the failure of a replica, which may have caused the failure here, such as a broken connection, and
        is reported instead of it.
        """
        if self._one_has_died.wait(CAUSE_SECONDS):
            time.sleep(CAUSE_SECONDS)  # the watching thread ends this process meanwhile

    def kill(self) -> None:
        """Kill the replicas that are left. They have nothing to save."""
        self._are_killed = True
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _watch(self, rank: int, pid: int) -> None:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # WNOWAIT: its number must not be used again
        if ended is None or self._are_killed or (ended.si_code, ended.si_status) == (os.CLD_EXITED, 0):
            return
        self._one_has_died.set()
        if ended.si_code != os.CLD_EXITED:
            _die_by(signal.Signals(ended.si_status), f"Process {rank} of this training was killed by ")
        text = f"Process {rank} of this training ended with exit code {ended.si_status} and without a message."
        unexplained = Failed(reason=EndReason.INTERNAL, message=f"{text} {EndReason.INTERNAL.advice}")
        for message in self._messages_of(rank) or [unexplained]:
            self._send(message)
        exit_now(1)

    def _messages_of(self, rank: int) -> list[Message]:
        channel, lines = self._channels[rank - 1], b""
        channel.setblocking(False)  # children of the replica may still hold its end
        with contextlib.suppress(OSError):
            while chunk := channel.recv(1 << 16):
                lines += chunk
        return [message_adapter.validate_json(line) for line in lines.splitlines()]


def _die_by(number: signal.Signals, text: str) -> NoReturn:
    """End the trainer by the signal that killed its replica: the runner translates it into a reason."""
    sys.stderr.write(f"{text}{number.name}.\n")
    sys.stderr.flush()
    faulthandler.disable()
    os.kill(os.getpid(), number)
    exit_now(1)


def _become_replica(
    run: Run, train: EntryPoint, world: World, channel: Channel, not_for_it: Sequence[socket.socket]
) -> NoReturn:
    """Run the entry point in the forked process, report nothing but a failure, and end the process."""
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
        run = replace(run, folder=folder, send=_discard, world=world)
        train(run)
        code = 0
    except Stopped:
        code = 0
    except BaseException as error:  # noqa: BLE001 - every failure is reported to the user
        report_failure(error, run.folder, channel.send, run.device_batch_size)
    finally:
        exit_now(code)


def _discard(_message: Message) -> None:
    """Ignore a message: the first process sends the same."""
