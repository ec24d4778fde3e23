"""Cost of many open streams: the 99th percentile of a list's latency with them, and without them."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

STREAMS = 200
OPENED_AT_ONCE = 10
REQUESTS = 400
QUIET_SECONDS = 1.5
"""Seconds of silence after which a stream has sent all earlier events."""


def _request(url: str, token: str) -> tuple[str, int, bytes]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    head = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
    return parts.hostname, parts.port, head.encode()


async def _open(url: str, token: str, turn: asyncio.Semaphore) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream and read all earlier events."""
    async with turn:
        reader, writer = await _connect(url, token)
    with suppress(TimeoutError):
        while await asyncio.wait_for(reader.read(65536), QUIET_SECONDS):
            pass
    return reader, writer


async def _connect(url: str, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port, request = _request(url, token)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{url} answered {head.splitlines()[0].decode()}")
    return reader, writer


async def _latencies(url: str, token: str) -> list[float]:
    """Return the latencies of sequential requests, in milliseconds."""
    host, port, request = _request(url, token)
    reader, writer = await asyncio.open_connection(host, port)
    taken: list[float] = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        taken.append(1000 * (time.perf_counter() - started))
    writer.close()
    return taken


async def _measure(url: str, token: str, streams: Sequence[str]) -> float:
    turn = asyncio.Semaphore(OPENED_AT_ONCE)
    opened = await asyncio.gather(*(_open(stream, token, turn) for stream in streams))
    taken = await _latencies(url, token)
    for reader, writer in opened:
        if reader.at_eof():
            raise RuntimeError("a stream ended while it was needed")
        writer.close()
    return sorted(taken)[int(0.99 * len(taken))]


def p99_milliseconds(url: str, *, token: str, streams: Sequence[str] = ()) -> float:
    """Return the 99th percentile of latencies while these streams are open, in milliseconds."""
    return asyncio.run(_measure(url, token, streams))
