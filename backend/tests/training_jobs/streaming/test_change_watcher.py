"""Streams are notified of changes that other processes commit, and polled for together."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pytest
from sqlalchemy import event, text
from support.job_rows import MakeJob, reload
from support.sse import parsed, take
from support.waiting import until

from vision_api.auth.dependencies import StreamAccess
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import JobStatus, Project, TrainingJob
from vision_api.training_jobs.events import append_event
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.streaming import change_watcher, streams
from vision_api.training_jobs.streaming.change_watcher import ChangeWatcher, running_change_watcher

S = JobStatus
USUAL_POLL_SECONDS = change_watcher.POLL_SECONDS
LISTENERS = "application_name = 'vision-api-listener' AND datname = current_database()"


@pytest.fixture
async def job(make_job: MakeJob) -> TrainingJob:
    return await make_job(status=S.RUNNING, attempt=1)


async def append_log_event(database: Database, job: TrainingJob, message: str) -> None:
    """Append an event as another process does: no notifier of this process is called."""
    async with database.transaction() as session:
        append_event(session, await reload(session, job), "log", {"message": message})


@asynccontextmanager
async def listening(database: Database, notifier: Notifier) -> AsyncIterator[None]:
    """Run a backend that listens."""
    async with running_change_watcher(database, notifier):
        await connected(database, 1)
        yield


async def connected(database: Database, count: int) -> list[int]:
    """Wait until that number of listeners is connected. Returns their process ids."""
    async with asyncio.timeout(10):
        while True:
            async with database.transaction() as session:
                pids = (await session.scalars(text(f"SELECT pid FROM pg_stat_activity WHERE {LISTENERS}"))).all()
            if len(pids) == count:
                return list(pids)
            await asyncio.sleep(0.02)


@pytest.fixture
def needs_postgresql(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one backend, which notifies itself")


async def test_a_poll_notifies_the_subscribers_of_changed_jobs(
    database: Database, make_job: MakeJob, job: TrainingJob
) -> None:
    quiet, notifier = await make_job(status=S.RUNNING), Notifier()
    watcher = ChangeWatcher(database, notifier)
    with notifier.subscribe_job(job.id) as changed, notifier.subscribe_job(quiet.id) as unchanged:
        await watcher.poll()
        assert (await changed.wait(0), await unchanged.wait(0)) == (True, True)  # the state before is unknown
        await append_log_event(database, job, "one")
        await watcher.poll()
        assert (await changed.wait(0), await unchanged.wait(0)) == (True, False)
        async with database.transaction() as session:
            (await reload(session, quiet)).deleted_at = utc_now()
        await watcher.poll()
        assert (await changed.wait(0), await unchanged.wait(0)) == (False, True)


async def test_a_poll_notifies_the_subscribers_of_the_project(
    database: Database, project: Project, make_job: MakeJob, job: TrainingJob
) -> None:
    notifier = Notifier()
    watcher = ChangeWatcher(database, notifier)
    with notifier.subscribe_project(project.id) as changed, notifier.subscribe_project(project.id + 1) as other:
        await watcher.poll()
        assert (await changed.wait(0), await other.wait(0)) == (True, True)
        await watcher.poll()
        assert await changed.wait(0) is False
        for change in (append_log_event(database, job, "one"), make_job()):
            await change
            await watcher.poll()
            assert (await changed.wait(0), await other.wait(0)) == (True, False)


async def test_a_poll_takes_two_statements_however_many_streams(
    database: Database, project: Project, make_job: MakeJob
) -> None:
    notifier, statements = Notifier(), list[str]()
    watcher = ChangeWatcher(database, notifier)

    def count(*arguments: object) -> None:
        if str(arguments[2]).startswith("SELECT"):
            statements.append(str(arguments[2]))

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    async with AsyncExitStack() as subscribe:
        await watcher.poll()
        assert statements == []
        for _ in range(5):
            subscribe.enter_context(notifier.subscribe_job((await make_job()).id))
            subscribe.enter_context(notifier.subscribe_project(project.id))
        await watcher.poll()
    assert len(statements) == 2


async def test_a_stream_without_a_notification_does_not_query_the_database(
    database: Database, viewer: StreamAccess, job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PING_SECONDS", 0.01)
    statements: list[object] = []
    stream = streams.job_events(database, Notifier(), viewer=viewer, job_id=job.id, after=0)
    async with aclosing(stream), asyncio.timeout(10):
        assert [await anext(stream) for _ in range(3)] == [b"retry: 2000\n\n", b": ping\n\n", b": ping\n\n"]
        event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        assert [await anext(stream) for _ in range(3)] == [b": ping\n\n"] * 3
    assert statements == []


@pytest.mark.usefixtures("needs_postgresql")
async def test_an_event_of_another_backend_arrives_without_polling(
    database: Database, viewer: StreamAccess, job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_watcher, "POLL_SECONDS", 3600.0)
    notifier = Notifier()
    async with listening(database, notifier):
        stream = streams.job_events(database, notifier, viewer=viewer, job_id=job.id, after=0)
        async with aclosing(parsed(stream)) as events:
            await append_log_event(database, job, "one")
            await take(events, 1)
            appended_at = time.monotonic()
            await append_log_event(database, job, "two")
            [sent] = await take(events, 1)
    assert sent.data["message"] == "two"
    assert time.monotonic() - appended_at < USUAL_POLL_SECONDS / 2


@pytest.mark.usefixtures("needs_postgresql")
async def test_a_request_to_another_backend_wakes_the_loops(
    database: Database, job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_watcher, "POLL_SECONDS", 3600.0)
    notifier = Notifier()
    async with listening(database, notifier):
        await append_log_event(database, job, "no request")
        assert await notifier.dispatch.wait(0.2) is False
        async with database.transaction() as session:
            (await reload(session, job)).priority = 3
        assert await notifier.dispatch.wait(10) is True


@pytest.mark.usefixtures("needs_postgresql")
async def test_a_listener_whose_connection_is_killed_connects_again_and_logs_it_once(
    database: Database, job: TrainingJob, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(change_watcher, "POLL_SECONDS", 3600.0)
    caplog.set_level(logging.INFO, "vision_api.db.listener")
    notifier = Notifier()
    async with listening(database, notifier):
        with notifier.subscribe_job(job.id) as changed:
            [first] = await connected(database, 1)
            async with database.transaction() as session:
                await session.execute(text(f"SELECT pg_terminate_backend({first})"))
            await until(lambda: len(caplog.messages) == 2)
            assert await connected(database, 1) != [first]
            assert await changed.wait(10) is True  # changes may have been missed
            await append_log_event(database, job, "one")
            assert await changed.wait(10) is True
    assert ["cannot wake" in message for message in caplog.messages] == [True, False]
    await connected(database, 0)


async def test_the_watcher_ends_while_the_database_is_away(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    if database.is_sqlite:
        pytest.skip("a file is there or not")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database.engine.sync_engine, "url", database.engine.url.set(database="nowhere"))
        async with asyncio.timeout(10), running_change_watcher(database, Notifier()):
            await until(lambda: "it polls" in caplog.text)


async def test_a_watcher_that_is_closed_during_a_poll_finishes_it_and_ends(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation of the statement could come out of the database driver as another error, and be retried."""
    monkeypatch.setattr(change_watcher, "POLL_SECONDS", 0)
    is_polling, may_finish, finished = asyncio.Event(), asyncio.Event(), list[bool]()

    class SlowWatcher(ChangeWatcher):
        async def poll(self) -> None:
            is_polling.set()
            await may_finish.wait()
            finished.append(True)

    watcher = SlowWatcher(database, Notifier())
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(watcher.run())
        await is_polling.wait()
        watcher.close()
        may_finish.set()
    assert finished == [True]
