"""Sockets that a server listens at, bound before anything else starts, so that a port in use costs nothing."""

import errno
import socket


def listen(host: str, port: int, *, backlog: int) -> list[socket.socket]:
    """Listen at every address of `host`; empty or `::` is every address of the machine, IPv4 and IPv6.

    Port 0 is a free one, the same at each address. Raises OSError.
    """
    listening = [_listen_everywhere(port, backlog)] if host in ("", "::") else _listen_at(host, port, backlog)
    for each in listening:
        # Connections inherit it. asyncio sets it only on sockets that it made itself; without it a body that follows
        # its headers waits 40 ms for the client's delayed acknowledgement.
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _listen_everywhere(port: int, backlog: int) -> socket.socket:
    """Listen at IPv4 and IPv6: asyncio would bind `::` to IPv6 alone."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=backlog)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return socket.create_server(("0.0.0.0", port), backlog=backlog)  # noqa: S104 - this is what was asked for


def _listen_at(host: str, port: int, backlog: int) -> list[socket.socket]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    places = dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found)
    listening: list[socket.socket] = []
    try:
        for family, address in places:
            listening.append(socket.create_server((address, port), family=family, backlog=backlog))
            port = port or listening[0].getsockname()[1]
    except OSError:
        for each in listening:
            each.close()
        raise
    return listening
