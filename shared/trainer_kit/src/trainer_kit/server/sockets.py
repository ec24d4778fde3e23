"""The address that a service listens on."""

import socket

BACKLOG = 128


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; an empty host or `::` means IPv4 and IPv6 together (asyncio would bind `::` to IPv6 only).

    Raises OSError, such as for a port in use.
    """
    if host in ("", "::"):
        if socket.has_dualstack_ipv6():
            return socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
        host = "0.0.0.0"  # noqa: S104 - a machine without IPv6
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)
