"""The trainer's end of its connection with the runner: messages go out, and its end means that the runner is gone.

A replica has one like it to the trainer.
"""

import contextlib
import os
import signal
import socket
import threading

from trainer_kit.trainer.messages import Message


class Channel:
    """One half of a socket pair. Messages are lines of JSON; nothing ever comes in.

    A process without its reader has nobody to report to and must not keep the device, so it ends itself. (Linux could
    do that with prctl; this works everywhere, and also for the children of the trainer.)
    """

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        self._mutex = threading.Lock()

    def send(self, message: Message) -> None:
        """Gives a message to the reader; waits while that is busy."""
        line = message.model_dump_json().encode() + b"\n"
        with self._mutex:
            self._socket.sendall(line)

    def exit_with_reader(self) -> None:
        """Watches for the other side's end in the background, and then kills this process group."""
        threading.Thread(target=self._watch, name="reader-watch", daemon=True).start()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):
            while self._socket.recv(1):
                pass
        os.killpg(os.getpgrp(), signal.SIGKILL)
