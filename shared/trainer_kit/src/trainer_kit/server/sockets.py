"""The address that a service listens on."""

import socket

BACKLOG = 128


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; an empty host or `::` means IPv4 and IPv6 (asyncio would bind `::` to IPv6 only).

    Raises OSError, such as for a port in use.
    """
    listening = _listen_everywhere(port) if host in ("", "::") else _listen_at(host, port)
    # Connections inherit TCP_NODELAY; asyncio sets it on its own sockets only. Without it a body is delayed by 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _listen_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    return _listen_at("0.0.0.0", port)  # noqa: S104 - a machine without IPv6


def _listen_at(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)
