"""Connections of clients that are silent, slow, deaf or many, on a real server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from vision_api.config import Settings
from vision_api.kit.body_rate import BodyRate
from vision_api.kit.networks import read_networks
from vision_api.process.connections import BUSY, ConnectionLimits, bounded_protocol, connection_limits

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Connection]]


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Send `ok`, or 200 MiB for `/large`, after the body has been read."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(200 if scope["path"] == "/large" else 0):
        await send({"type": "http.response.body", "body": bytes(2**20), "more_body": True})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(limits: ConnectionLimits, app: object = answer) -> AsyncIterator[Connect]:
    config = uvicorn.Config(app, port=0, http=bounded_protocol(limits), log_config=None, lifespan="off", ws="none")  # pyright: ignore[reportArgumentType]
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    try:
        yield connect
    finally:
        for writer in writers:
            writer.transport.abort()
        server.should_exit = True
        await task


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server closes the connection."""
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""


def limits_of(**changes: object) -> ConnectionLimits:
    return ConnectionLimits(**{"total": 100, "per_peer": 100, "header_seconds": 0.3} | changes)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: "], ids=["silent", "half a request"])
async def test_a_client_that_sends_no_whole_request_is_cut(sent: bytes) -> None:
    limits = limits_of()
    async with serving(limits) as connect:
        reader, writer = await connect()
        writer.write(sent)

        assert await rest_of(reader) == b""
        assert limits.open == 0


async def test_headers_that_drip_do_not_get_more_time() -> None:
    async with serving(limits_of()) as connect:
        reader, writer = await connect()

        async def drip() -> None:
            for byte in REQUEST[:-4] + b"x" * 1000:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert await rest_of(reader) == b""
        dripping.cancel()


async def test_a_second_request_has_its_own_time_for_headers() -> None:
    async with serving(limits_of()) as connect:
        reader, writer = await connect()
        for _ in range(2):
            writer.write(REQUEST)
            assert b"ok" in await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 5)
        writer.write(REQUEST[:10])

        assert await rest_of(reader) == b""


async def test_a_request_that_takes_long_is_not_cut() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1)
        await answer(scope, receive, send)

    async with serving(limits_of(header_seconds=0.2), slow) as connect:
        reader, writer = await connect()
        writer.write(REQUEST)

        assert b"ok" in await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 5)


async def test_a_client_that_reads_no_answer_is_cut() -> None:
    limits = limits_of(unread_seconds=0.3)
    async with serving(limits) as connect:
        _reader, writer = await connect()
        writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")

        async with asyncio.timeout(10):
            while limits.open == 0:
                await asyncio.sleep(0.01)
            while limits.open:
                await asyncio.sleep(0.05)


async def test_a_client_that_reads_slowly_is_not_cut() -> None:
    async with serving(limits_of(unread_seconds=0.3)) as connect:
        reader, writer = await connect()
        writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(40):
            assert await asyncio.wait_for(reader.readexactly(2**18), 5)
            await asyncio.sleep(0.03)


async def test_one_client_cannot_take_more_than_its_connections() -> None:
    async with serving(limits_of(per_peer=3)) as connect:
        for _ in range(3):
            await connect()
        reader, _writer = await connect()

        assert await rest_of(reader) == BUSY
        assert b'"code":"server_busy"' in BUSY


async def test_a_trusted_proxy_may_have_any_number() -> None:
    async with serving(limits_of(per_peer=1, proxies=read_networks(["127.0.0.0/8"]))) as connect:
        await connect()
        reader, writer = await connect()
        writer.write(REQUEST)

        assert b"ok" in await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 5)


async def test_when_all_places_are_taken_a_silent_connection_makes_room() -> None:
    async with serving(limits_of(total=3, header_seconds=60)) as connect:
        silent, _writer = await connect()
        for _ in range(2):
            await connect()
        reader, writer = await connect()
        writer.write(REQUEST)

        assert b"ok" in await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 5)
        assert await rest_of(silent) == b""


@pytest.mark.parametrize(("path", "status"), [("/", b"408"), ("/uploads/1", b"200")])
async def test_a_body_must_arrive_at_a_rate_but_an_upload_need_only_move(path: str, status: bytes) -> None:
    app = BodyRate(problem_app, patient_prefix="/uploads/", window_seconds=0.3)
    async with serving(limits_of(), app) as connect:
        reader, writer = await connect()
        writer.write(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n".encode())
        answered = asyncio.create_task(reader.readline())
        for _ in range(20):
            if not answered.done():
                writer.write(b"x")
                await asyncio.sleep(0.05)

        assert status in await asyncio.wait_for(answered, 5)


async def test_an_upload_that_stands_still_is_cut() -> None:
    app = BodyRate(problem_app, patient_prefix="/uploads/", window_seconds=0.3)
    async with serving(limits_of(), app) as connect:
        reader, writer = await connect()
        writer.write(b"POST /uploads/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nxxxxx")

        assert b"408" in await asyncio.wait_for(reader.readline(), 5)


async def problem_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as `answer` does, and an HTTPException with its status."""
    from starlette.middleware.exceptions import ExceptionMiddleware

    await ExceptionMiddleware(answer)(scope, receive, send)


def test_the_limit_stays_below_the_number_of_files_that_the_process_may_open(settings: Settings) -> None:
    limits = connection_limits(settings)

    assert 16 <= limits.total <= settings.max_connections
    assert limits.per_peer == settings.max_connections_per_client
