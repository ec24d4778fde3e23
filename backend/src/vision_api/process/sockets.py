"""Sockets of the backend, bound before anything else starts, so that a port in use costs nothing."""

import errno
import socket

from vision_api.process.errors import StartError

BACKLOG = 2048


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen at every address of `host`; empty or `::` is every address of the machine, IPv4 and IPv6.

    Raises StartError.
    """
    try:
        listening = [_listen_everywhere(port)] if host in ("", "::") else _listen_at(host, port)
    except OSError as error:
        raise StartError(_explain(error, host, port)) from error
    for each in listening:
        # Connections inherit it. asyncio sets it only on sockets that it made itself; without it a body that follows
        # its headers waits 40 ms for the client's delayed acknowledgement.
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _listen_everywhere(port: int) -> socket.socket:
    """Listen at IPv4 and IPv6: asyncio would bind `::` to IPv6 alone."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104 - this is what was asked for


def _listen_at(host: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    places = dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found)
    listening: list[socket.socket] = []
    try:
        for family, address in places:
            listening.append(socket.create_server((address, port), family=family, backlog=BACKLOG))
            port = port or listening[0].getsockname()[1]
    except OSError:
        for each in listening:
            each.close()
        raise
    return listening


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Stop the program that listens there, or choose another port: PORT={port + 1}"
    if error.errno == errno.EACCES:
        return f"Port {port} is for the system's administrator. Choose one above 1023: PORT=8000"
    return f"Cannot listen at HOST={host}, PORT={port}: {error.strerror or error}."
