"""A network call is refused to the task that holds a session, its threads and the tasks it begins, and to no other."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ArchiveLimits, ObjectStore, open_store
from http_kit.children import child_environment
from vision_api.datasets.processing.prepare_process import prepare_in_process
from vision_api.db.network_guard import NetworkInSession, forbid_in_session
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.model_registry.hub.push_process import PushRequest
from vision_api.model_registry.hub.pusher import push_in_process
from vision_api.training_services import ServiceClient
from vision_api.training_services.client import ConnectionPools
from vision_api.training_services.process import Program, ServiceProcess

SELECT = text("SELECT 1")
KEY = "jobs/1/best.pt"

Request = Callable[[ObjectStore], object]
REQUESTS: dict[str, Request] = {
    "put_bytes": lambda store: store.put_bytes(b"", KEY),
    "put_stream": lambda store: store.put_stream(iter([b"a", b"b"]), KEY),
    "read": lambda store: store.read(store.uri(KEY)),
    "read_bytes": lambda store: store.read_bytes(store.uri(KEY)),
    "copy": lambda store: store.copy(store.uri(KEY), "other"),
    "head": lambda store: store.head(store.uri(KEY)),
    "exists": lambda store: store.exists(store.uri(KEY)),
    "list": lambda store: list(store.list()),
    "delete": lambda store: store.delete(store.uri(KEY)),
    "delete_prefix": lambda store: store.delete_prefix("jobs"),
    "delete_unfinished": lambda store: store.delete_unfinished(before=utc_now()),
    "presigned_url": lambda store: store.presigned_url(store.uri(KEY), timedelta(hours=1)),
}


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    store = open_store((tmp_path / "storage").as_uri())
    store.put_bytes(b"weights", KEY)
    return store


def ask() -> None:
    forbid_in_session("a test")


@pytest.mark.parametrize("name", REQUESTS)
async def test_every_request_to_the_store_is_refused_in_a_session(
    database: Database, store: ObjectStore, name: str
) -> None:
    async with database.snapshot() as session:
        await session.execute(SELECT)

        with pytest.raises(NetworkInSession, match="the object store"):
            REQUESTS[name](store)
        with pytest.raises(NetworkInSession):
            await asyncio.to_thread(REQUESTS[name], store)

    assert store.read_bytes(store.uri(KEY)) == b"weights"


async def test_names_in_the_store_are_no_requests(database: Database, store: ObjectStore) -> None:
    async with database.snapshot() as session:
        await session.execute(SELECT)

        uri = store.uri(KEY)
        assert (store.key(uri), store.contains(uri)) == (KEY, True)
        assert store.local_path(uri) is not None


async def test_a_call_of_a_training_service_is_refused_in_a_session(database: Database) -> None:
    async with ConnectionPools() as connections, database.snapshot() as session:
        await session.execute(SELECT)

        client = ServiceClient("http://127.0.0.1:9", "token", connections=connections)
        with pytest.raises(NetworkInSession, match="a training service"):
            await client.ready()


def processes(folder: Path) -> dict[str, Callable[[], Awaitable[object]]]:
    push = PushRequest(
        endpoint="http://127.0.0.1:9", token="token", repository="a/b", is_private=True, message="", tag="", files={}
    )
    program = Program("small", Path("/bin/false"), folder, child_environment({}, ()))
    return {
        "service": lambda: ServiceProcess.start(program),
        "data set": lambda: prepare_in_process(folder, folder, ArchiveLimits(), print),
        "push": lambda: push_in_process(push, folder),
    }


@pytest.mark.parametrize("name", ["service", "data set", "push"])
async def test_a_process_is_refused_in_a_session(database: Database, tmp_path: Path, name: str) -> None:
    async with database.snapshot() as session:
        await session.execute(SELECT)

        with pytest.raises(NetworkInSession, match="a process"):
            await processes(tmp_path)[name]()


async def test_a_task_that_is_begun_in_a_session_is_in_it(database: Database) -> None:
    async def ask_later() -> None:
        ask()

    async with database.transaction() as session:
        await session.execute(SELECT)

        with pytest.raises(NetworkInSession):
            await asyncio.create_task(ask_later())


async def test_another_task_may_ask_meanwhile(database: Database) -> None:
    is_open, is_asked = asyncio.Event(), asyncio.Event()

    async def ask_while_open() -> None:
        await is_open.wait()
        ask()
        await asyncio.to_thread(ask)
        is_asked.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask_while_open())
        async with database.transaction() as session:
            await session.execute(SELECT)
            is_open.set()
            await is_asked.wait()
            with pytest.raises(NetworkInSession):
                ask()


async def test_a_session_without_a_statement_holds_nothing(database: Database) -> None:
    async with database.snapshot():
        ask()


@pytest.mark.parametrize("mode", ["snapshot", "transaction"])
async def test_after_a_session_everything_may_be_asked(database: Database, mode: str) -> None:
    opened: Callable[[], AbstractAsyncContextManager[AsyncSession]] = getattr(database, mode)
    async with opened() as session:
        await session.execute(SELECT)

    ask()
    await asyncio.to_thread(ask)


async def test_a_session_that_fails_is_over_too(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await session.execute(SELECT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    ask()


async def test_a_connection_that_is_lost_is_held_no_more(database: Database) -> None:
    async with database.snapshot() as session:
        await (await session.connection()).invalidate()

    ask()


async def test_a_task_that_was_begun_in_a_session_may_ask_once_it_is_over(database: Database) -> None:
    is_over = asyncio.Event()

    async def ask_later() -> None:
        await is_over.wait()
        ask()

    async with database.snapshot() as session:
        await session.execute(SELECT)
        task = asyncio.create_task(ask_later())
    is_over.set()

    await task


async def test_the_outer_of_two_sessions_counts_on(database: Database) -> None:
    async with database.snapshot() as outer:
        await outer.execute(SELECT)
        async with database.snapshot() as inner:
            await inner.execute(SELECT)

        with pytest.raises(NetworkInSession):
            ask()

    ask()
