"""Calls to one instance, over real connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from support.small_service import TOKEN, SmallService, serving

from vision_api.kit.logging import request_id_var
from vision_api.training_services import ServiceClient, ServiceRejected, ServiceSilent, ServiceUnavailable
from vision_api.training_services.client import ConnectionPools
from vision_contracts import (
    DatasetRef,
    Finished,
    HeldJob,
    JobEvent,
    JobSpec,
    Log,
    Problem,
    Started,
    StopRequest,
    TaskType,
    TrainingParams,
)

JOB = uuid4()
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SPEC = JobSpec(
    job_uid=JOB,
    attempt=1,
    framework="small",
    model_name="tiny",
    task_type=TaskType.IMAGE_CLASSIFICATION,
    dataset=DatasetRef(uri="file:///datasets/digits"),
    output_uri="file:///storage/jobs/1",
    params=TrainingParams(epochs=1, batch_size=1, learning_rate=0.1, optimizer="sgd"),
)

STARTED = JobEvent(seq=1, attempt=1, time=NOW, body=Started(resume_step=0, device="cpu"))
FINISHED = JobEvent(seq=3, attempt=1, time=NOW, body=Finished())


@pytest.fixture
def service() -> SmallService:
    return SmallService()


@pytest.fixture
async def client(service: SmallService) -> AsyncIterator[ServiceClient]:
    async with serving(service) as port, ConnectionPools() as connections:
        yield ServiceClient(f"http://127.0.0.1:{port}", TOKEN, connections=connections)


async def test_ready_returns_the_instance(service: SmallService, client: ServiceClient) -> None:
    assert await client.ready() == service.ready


async def test_a_model_list_is_fetched_once(service: SmallService, client: ServiceClient) -> None:
    models, etag = await client.model_list()

    assert models == service.models
    assert await client.model_list(etag) == (None, etag)


async def test_a_started_job_is_held_until_it_is_deleted(service: SmallService, client: ServiceClient) -> None:
    await client.start(SPEC)
    assert await client.held_jobs() == [HeldJob(job_uid=JOB, attempt=1, state="running")]

    await client.stop(JOB, StopRequest(attempt=1, mode="pause", grace_seconds=3))
    assert service.stops == [StopRequest(attempt=1, mode="pause", grace_seconds=3)]

    await client.delete(JOB)
    assert await client.held_jobs() == []


async def test_deleting_what_is_gone_succeeds(client: ServiceClient) -> None:
    await client.delete(uuid4())


async def test_the_request_id_goes_along(service: SmallService, client: ServiceClient) -> None:
    token = request_id_var.set("request-17")
    try:
        await client.ready()
    finally:
        request_id_var.reset(token)

    assert service.requests[-1][2]["x-request-id"] == "request-17"


async def test_a_refusal_keeps_its_code_and_fields(service: SmallService, client: ServiceClient) -> None:
    service.refusal = Problem(title="Conflict", status=409, detail="Both slots are taken.", code="no_free_slot")

    with pytest.raises(ServiceRejected, match="Both slots are taken") as refused:
        await client.start(SPEC)

    assert (refused.value.status, refused.value.code) == (409, "no_free_slot")


async def test_a_wrong_token_is_a_refusal(service: SmallService, client: ServiceClient) -> None:
    service.token = "another"

    with pytest.raises(ServiceRejected) as refused:
        await client.ready()

    assert refused.value.code == "token_invalid"


async def test_a_failing_service_is_unavailable(service: SmallService, client: ServiceClient) -> None:
    service.refusal = Problem(title="Bad Gateway", status=502, detail="Nobody there.", code="bad_gateway")

    with pytest.raises(ServiceUnavailable, match="502"):
        await client.start(SPEC)


async def test_a_closed_port_is_unavailable_and_not_silent() -> None:
    async with serving(SmallService()) as port:
        pass
    async with ConnectionPools() as connections:
        with pytest.raises(ServiceUnavailable) as gone:
            await ServiceClient(f"http://127.0.0.1:{port}", TOKEN, connections=connections).ready()

    assert not isinstance(gone.value, ServiceSilent)


Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(reply: Reply, *, silence_seconds: float = 5.0) -> AsyncIterator[ServiceClient]:
    """A client of a peer that sends exactly the bytes that `reply` writes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reply(writer)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=256)
    port = server.sockets[0].getsockname()[1]
    async with server, ConnectionPools(silence_seconds=silence_seconds) as connections:
        yield ServiceClient(f"http://127.0.0.1:{port}", TOKEN, connections=connections)


def stream_of(*chunks: bytes) -> Reply:
    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()

    return reply


def line(event: JobEvent) -> bytes:
    return event.to_line().encode() + b"\n"


async def collect(client: ServiceClient) -> list[JobEvent | None]:
    return [event async for event in client.events(JOB, 1, 0)]


async def test_a_web_page_is_no_training_service() -> None:
    page = stream_of(b"<html>It works!</html>")

    async with answering(page) as client:
        with pytest.raises(ServiceUnavailable, match="is it a training service"):
            await client.ready()


async def test_events_end_with_the_terminal_one(service: SmallService, client: ServiceClient) -> None:
    service.events = [STARTED, FINISHED]

    assert await collect(client) == [STARTED, FINISHED]


async def test_events_go_on_behind_a_cursor(service: SmallService, client: ServiceClient) -> None:
    service.events = [STARTED, FINISHED]

    assert [event async for event in client.events(JOB, 1, 1)] == [FINISHED]


async def test_an_empty_line_is_a_heartbeat() -> None:
    async with answering(stream_of(line(STARTED), b"\n", line(FINISHED))) as client:
        assert await collect(client) == [STARTED, None, FINISHED]


async def test_a_line_may_come_in_pieces_and_hold_any_character() -> None:
    message = "half a line\u2028\x85 is one line, \U0001f600"
    log = JobEvent(seq=2, attempt=1, time=NOW, body=Log(message=message))
    whole = line(log) + line(FINISHED)
    middle = whole.index("\u2028".encode()) + 1

    async with answering(stream_of(whole[:middle], whole[middle:])) as client:
        assert await collect(client) == [log, FINISHED]


async def test_an_event_of_a_newer_service_is_skipped() -> None:
    newer = b'{"seq": 2, "attempt": 1, "time": "2026-01-31T12:00:00Z", "type": "telepathy"}\n'

    async with answering(stream_of(line(STARTED), newer, line(FINISHED))) as client:
        assert await collect(client) == [STARTED, FINISHED]


@pytest.mark.parametrize("rest", [b"", line(FINISHED)[:-20]], ids=["between lines", "within a line"])
async def test_a_cut_stream_is_unavailable_after_its_last_whole_event(rest: bytes) -> None:
    async with answering(stream_of(line(STARTED), rest)) as client:
        events = client.events(JOB, 1, 0)
        assert await anext(events) == STARTED

        with pytest.raises(ServiceUnavailable, match="before the end of the job"):
            await anext(events)


async def test_a_silent_stream_is_lost() -> None:
    async def fall_silent(writer: asyncio.StreamWriter) -> None:
        await stream_of(line(STARTED))(writer)
        await is_over.wait()

    is_over = asyncio.Event()
    async with answering(fall_silent, silence_seconds=0.2) as client:
        with pytest.raises(ServiceSilent):
            await collect(client)
        is_over.set()


async def test_following_an_unknown_job_is_refused() -> None:
    async def refuse(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with answering(refuse) as client:
        with pytest.raises(ServiceRejected) as refused:
            await collect(client)

    assert refused.value.status == 404


async def test_many_streams_can_be_open_at_once() -> None:
    """httpx's default pool would be full at 100."""
    are_read = asyncio.Event()

    async def hold(writer: asyncio.StreamWriter) -> None:
        await stream_of(line(STARTED))(writer)
        await are_read.wait()

    async with answering(hold) as client, AsyncExitStack() as open_streams:
        streams = [await open_streams.enter_async_context(aclosing(client.events(JOB, 1, 0))) for _ in range(110)]
        async with asyncio.timeout(10):
            first_events = await asyncio.gather(*(anext(stream) for stream in streams))
        are_read.set()

    assert first_events == [STARTED] * 110
