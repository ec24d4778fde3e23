"""Bounds of the server's connections: their number, the time for headers, and the time without progress."""

import asyncio
import logging
import resource
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from http_kit.problems import make_problem
from vision_api.config import Settings
from vision_api.kit.logging import TOO_MANY_CONNECTIONS
from vision_api.kit.networks import Network, is_in, peer_of, read_networks

log = logging.getLogger(__name__)

HEADER_SECONDS = 30.0
"""Time for the headers of a request, from the first connection or the first byte after another request."""
UNREAD_SECONDS = 60.0
"""Time in which a client must read something of an answer that waits for it."""
DESCRIPTORS = 65_536
"""Open files that the process asks for, as far as the system allows."""
RESERVED_DESCRIPTORS = 128
"""Open files of everything else: the database, storage, services."""
_BUSY_BODY = make_problem(
    503, "Too many connections are open. Close some of them, or try again later.", code="server_busy"
).model_dump_json(exclude_none=True)
BUSY = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
    f"Retry-After: 10\r\nContent-Length: {len(_BUSY_BODY)}\r\n\r\n{_BUSY_BODY}"
).encode()


@dataclass
class ConnectionLimits:
    """Open connections of a server, and their bounds. Of a trusted proxy any number may come: many use it."""

    total: int
    per_peer: int
    proxies: Sequence[Network] = ()
    header_seconds: float = HEADER_SECONDS
    unread_seconds: float = UNREAD_SECONDS
    open: int = 0
    by_peer: Counter[str] = field(default_factory=Counter[str])
    waiting: "dict[BoundedProtocol, None]" = field(default_factory=dict)
    """Connections without a complete request, the one that waits longest first."""

    def enter(self, address: str) -> bool:
        """Count a connection. Returns whether it may stay. For the last places those that send nothing make room."""
        peer = peer_of(address)
        if self.open >= self.total and self.waiting:
            next(iter(self.waiting)).hang_up()
        is_allowed = self.open < self.total and (self.by_peer[peer] < self.per_peer or is_in(address, self.proxies))
        self.open += 1
        self.by_peer[peer] += 1
        return is_allowed

    def leave(self, address: str) -> None:
        """Forget a connection."""
        peer = peer_of(address)
        self.open -= 1
        self.by_peer[peer] -= 1
        if not self.by_peer[peer]:
            del self.by_peer[peer]


class BoundedProtocol(H11Protocol):
    """Connection that is closed if its client is silent, sends headers too slowly, or reads no answer."""

    limits: ConnectionLimits
    _address: str | None = None
    _header_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take the connection, or refuse it."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        if self.limits.enter(self._address):
            self._watch_headers()
        else:
            log.warning(f"{TOO_MANY_CONNECTIONS}: a new one is refused")  # noqa: G004
            transport.write(BUSY)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Read a piece of a request."""
        super().data_received(data)
        self._watch_headers()

    def on_response_complete(self) -> None:
        """Keep the connection for another request, for a few seconds."""
        super().on_response_complete()
        self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        if self._address is not None:
            self.limits.leave(self._address)
            self._address = None
        self._stop_header_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to read: its buffers are full."""
        super().pause_writing()
        self._expect_reading(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Send on."""
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None
        super().resume_writing()

    def hang_up(self) -> None:
        """Close the connection and give its place back at once."""
        if self._address is not None:
            self.limits.leave(self._address)
            self._address = None
        self._stop_header_timer()
        self.transport.abort()

    def _watch_headers(self) -> None:
        """Begin or end the time for headers. A second piece of them does not begin it anew."""
        is_waiting = self.cycle is None or self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]
        if not is_waiting or self.transport.is_closing():
            self._stop_header_timer()
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(self.limits.header_seconds, self.hang_up)
            self.limits.waiting[self] = None

    def _stop_header_timer(self) -> None:
        self.limits.waiting.pop(self, None)
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _expect_reading(self, unread_bytes: int) -> None:
        def check() -> None:
            unread_now = self.transport.get_write_buffer_size()
            if unread_now < unread_bytes:
                self._expect_reading(unread_now)
            else:
                self.hang_up()

        self._unread_timer = self.loop.call_later(self.limits.unread_seconds, check)


def bounded_protocol(limits: ConnectionLimits) -> type[BoundedProtocol]:
    """Return the protocol class of a server with these limits, for `uvicorn.Config(http=…)`."""
    return cast("type[BoundedProtocol]", type("LimitedProtocol", (BoundedProtocol,), {"limits": limits}))


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Return the limits of this process: as the settings say, and below the number of files that it may open."""
    total = min(settings.max_connections, max(1, _raise_descriptor_limit() - RESERVED_DESCRIPTORS))
    proxies = read_networks(settings.trusted_proxies)
    return ConnectionLimits(total=total, per_peer=settings.max_connections_per_client, proxies=proxies)


def _raise_descriptor_limit() -> int:
    """Raise this process' limit of open files as far as it may, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
