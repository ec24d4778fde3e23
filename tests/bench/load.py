"""A load on one URL: a few keep-alive connections on loopback, bounded in requests, as cheap as Python can make it."""

import asyncio
import time
from urllib.parse import urlsplit

CONNECTIONS = 8


async def _requests(host: str, port: int, request: bytes, count: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for _ in range(count):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"the server answered {head.splitlines()[0].decode()}")
            length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
    finally:
        writer.close()


async def _measure(url: str, token: str | None, count: int) -> float:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{authorization}\r\n".encode()
    started = time.perf_counter()
    await asyncio.gather(*(_requests(parts.hostname, parts.port, request, count) for _ in range(CONNECTIONS)))
    return CONNECTIONS * count / (time.perf_counter() - started)


def requests_per_second(url: str, *, token: str | None = None, count: int = 100) -> float:
    """Return the mean rate of `count` requests on each of eight connections."""
    return asyncio.run(_measure(url, token, count))
