"""Requests of a launcher to its warm parent: one packet for each runner, with one end of a lifeline.

A lifeline is a pair of sockets. The runner holds its end until it dies. While the packet waits, the kernel holds it,
and closes it if the parent dies. So the other end shows at any moment whether there is, or may yet be, a runner.
"""

import socket
from pathlib import Path

from pydantic import BaseModel

READY = b"ready"
MAX_BYTES = 1 << 17


class RunnerRequest(BaseModel):
    """A request for the runner of an attempt."""

    folder: Path
    working_dir: Path
    storage_environment: dict[str, str]
    """Variables with credentials: sent in this packet, so that no training process has them in its environment."""


def request_runner(parent: socket.socket, request: RunnerRequest) -> socket.socket:
    """Request a runner; returns our end of its lifeline. Raises OSError if the parent has ended."""
    ours, theirs = socket.socketpair()
    try:
        socket.send_fds(parent, [request.model_dump_json().encode()], [theirs.fileno()], socket.MSG_DONTWAIT)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    return ours


def receive_request(parent: socket.socket) -> tuple[RunnerRequest, socket.socket] | None:
    """Receive the next request and the runner's end of its lifeline; None once the launcher's end is closed.

    Raises TimeoutError after the socket's time-out.
    """
    data, fds, _, _ = socket.recv_fds(parent, MAX_BYTES, 1)
    if not data:
        return None
    return RunnerRequest.model_validate_json(data), socket.socket(fileno=fds[0])


def is_held(lifeline: socket.socket) -> bool:
    """Return whether the other end is still open in a process, or on its way to one."""
    try:
        return bool(lifeline.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False
