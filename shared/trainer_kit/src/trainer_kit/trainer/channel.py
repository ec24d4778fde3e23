"""The trainer's end of the socket pair between it and the runner. A replica has one to the trainer."""

import contextlib
import os
import signal
import socket
import threading

from trainer_kit.trainer.messages import Message


class Channel:
    """The writing end of a socket pair. Messages are lines of JSON; the reader sends nothing.

    A trainer without its reader must not keep the device, so it ends itself when the reader closes its end. (Linux
    could do that with prctl; this works everywhere, and also for the children of the trainer.)
    """

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        self._mutex = threading.Lock()

    def send(self, message: Message) -> None:
        """Send a message; block while the socket is full."""
        line = message.model_dump_json().encode() + b"\n"
        with self._mutex:
            self._socket.sendall(line)

    def exit_with_reader(self) -> None:
        """Start a thread that kills this process group when the reader closes its end."""
        threading.Thread(target=self._watch, name="reader-watch", daemon=True).start()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):
            while self._socket.recv(1):
                pass
        os.killpg(os.getpgrp(), signal.SIGKILL)
