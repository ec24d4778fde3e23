"""Sockets of the backend, with errors that say what to do."""

import errno
import socket

from http_kit import sockets
from vision_api.process.errors import StartError

BACKLOG = 256
"""Connections that wait to be accepted: the event loop tries as many at once, even if it has no descriptor for them."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen at every address of `host`, as `http_kit.sockets` does. Raises StartError."""
    try:
        return sockets.listen(host, port, backlog=BACKLOG)
    except OSError as error:
        raise StartError(_explain(error, host, port)) from error


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Stop the program that listens there, or choose another port: PORT={port + 1}"
    if error.errno == errno.EACCES:
        return f"Port {port} is for the system's administrator. Choose one above 1023: PORT=8000"
    return f"Cannot listen at HOST={host}, PORT={port}: {error.strerror or error}."
