"""What a launcher sends to its warm parent: one packet for each runner, with one end of a lifeline.

The runner holds its end until it dies. While the packet waits, the kernel holds it; if the parent dies over it, the
kernel lets go. So whoever has the other end knows at any moment whether there is, or may yet be, a runner.
"""

import socket
from pathlib import Path

from pydantic import BaseModel

READY = b"ready"
MAX_BYTES = 1 << 17


class RunnerRequest(BaseModel):
    """An attempt whose runner is wanted."""

    folder: Path
    working_dir: Path
    storage_environment: dict[str, str]
    """With credentials: in this packet, and never in the environment of a process that trains."""


def request_runner(parent: socket.socket, request: RunnerRequest) -> socket.socket:
    """Asks for a runner; returns our end of its lifeline. Raises OSError if the parent is gone."""
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
    """The next request and the runner's end of its lifeline; None once nobody can ask any more.

    Raises TimeoutError as the socket's time-out wants.
    """
    data, fds, _, _ = socket.recv_fds(parent, MAX_BYTES, 1)
    if not data:
        return None
    return RunnerRequest.model_validate_json(data), socket.socket(fileno=fds[0])


def is_held(lifeline: socket.socket) -> bool:
    """Whether the other end is still in some process, or on its way to one."""
    try:
        return bool(lifeline.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False
