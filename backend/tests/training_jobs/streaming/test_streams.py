"""Server-sent events: what is sent, what is sent again, and when a stream ends."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import delete, update
from support.common import AuthHeaders
from support.job_rows import MakeJob, reload
from support.sse import parsed, take

from vision_api.auth.dependencies import StreamAccess
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import AuthSession, JobEvent, JobStatus, Project, ProjectMember, TrainingJob, User
from vision_api.training_jobs.events import JOB_REQUESTED, announce_request, append_event
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.status import switch_status
from vision_api.training_jobs.streaming import change_watcher, streams
from vision_api.training_jobs.streaming.change_watcher import running_change_watcher

S = JobStatus


@pytest.fixture
async def job(make_job: MakeJob) -> TrainingJob:
    return await make_job(status=S.RUNNING, attempt=1)


@pytest.fixture
def notifier(database: Database) -> Notifier:
    notifier = Notifier()
    database.on_committed(JOB_REQUESTED, notifier.notify_job_requested)
    return notifier


async def tell(database: Database, notifier: Notifier, job: TrainingJob, *texts: str) -> None:
    async with database.transaction() as session:
        row = await reload(session, job)
        for text in texts:
            append_event(session, row, "log", {"message": text})
        announce_request(session, job)


async def complete(database: Database, notifier: Notifier, job: TrainingJob) -> None:
    async with database.transaction() as session:
        switch_status(session, await reload(session, job), S.COMPLETED)
        announce_request(session, job)


async def test_events_are_numbered_and_end(
    database: Database, notifier: Notifier, viewer: StreamAccess, job: TrainingJob
) -> None:
    await tell(database, notifier, job, "one", "two")
    stream = streams.job_events(database, notifier, viewer=viewer, job_id=job.id, after=0)
    async with aclosing(parsed(stream)) as events:
        first = await take(events, 2)
        await complete(database, notifier, job)
        async with asyncio.timeout(10):
            rest = [sent async for sent in events]

    assert [(sent.id, sent.event) for sent in first + rest] == [(1, "log"), (2, "log"), (3, "status"), (4, "end")]
    assert set(first[0].data) == {"job_id", "attempt", "time", "message"}
    assert first[0].data["time"].endswith("Z")


async def test_a_reconnect_gets_exactly_what_it_missed(
    database: Database, notifier: Notifier, viewer: StreamAccess, job: TrainingJob
) -> None:
    await tell(database, notifier, job, "one", "two", "three")
    await complete(database, notifier, job)

    stream = streams.job_events(database, notifier, viewer=viewer, job_id=job.id, after=2)
    missed = [sent async for sent in parsed(stream)]

    assert [sent.id for sent in missed] == [3, 4, 5]
    assert missed[0].data["message"] == "three"


async def test_a_stream_ends_after_a_logout(
    database: Database,
    notifier: Notifier,
    viewer: StreamAccess,
    job: TrainingJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "ACCESS_CHECK_SECONDS", 0)
    async with database.transaction() as session:
        await session.execute(update(AuthSession).values(revoked_at=utc_now()))

    async with asyncio.timeout(10):
        stream = streams.job_events(database, notifier, viewer=viewer, job_id=job.id, after=0)
        assert [message async for message in stream] == [b"retry: 2000\n\n"]


@pytest.mark.parametrize("after", [1, 99, -1])
async def test_an_id_that_cannot_be_replayed_gets_a_reset_with_a_snapshot(
    database: Database, notifier: Notifier, viewer: StreamAccess, job: TrainingJob, after: int
) -> None:
    await tell(database, notifier, job, "one", "two", "three", "four")
    async with database.transaction() as session:
        await session.execute(delete(JobEvent).where(JobEvent.event_id <= 2))

    stream = streams.job_events(database, notifier, viewer=viewer, job_id=job.id, after=after)
    async with aclosing(parsed(stream)) as events:
        [reset] = await take(events, 1)
        await tell(database, notifier, job, "five")
        [subscribe] = await take(events, 1)

    assert (reset.event, reset.id, reset.data["job"]["status"]) == ("reset", 4, "running")
    assert (subscribe.id, subscribe.data["message"]) == (5, "five")


async def test_a_quiet_stream_is_kept_alive(
    database: Database, notifier: Notifier, viewer: StreamAccess, job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PING_SECONDS", 0)

    stream = streams.job_events(database, notifier, viewer=viewer, job_id=job.id, after=0)
    async with aclosing(stream), asyncio.timeout(10):
        assert await anext(stream) == b"retry: 2000\n\n"
        assert await anext(stream) == b": ping\n\n"


async def test_a_stream_ends_when_the_user_may_not_see_it_any_more(
    database: Database, notifier: Notifier, viewer: StreamAccess, job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "ACCESS_CHECK_SECONDS", 0)
    await tell(database, notifier, job, "one")
    stream = streams.job_events(database, notifier, viewer=viewer, job_id=job.id, after=0)
    async with aclosing(parsed(stream)) as events:
        await take(events, 1)
        async with database.transaction() as session:
            await session.execute(delete(ProjectMember))
        async with asyncio.timeout(10):
            assert [sent async for sent in events] == []


Follow = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def follow_ended(
    client: httpx.AsyncClient,
    auth_headers: AuthHeaders,
    database: Database,
    notifier: Notifier,
    owner: User,
    job: TrainingJob,
) -> Follow:
    """Asks for the events of a job that has ended."""
    await complete(database, notifier, job)
    path, headers = f"/api/v1/training/jobs/{job.id}/events", await auth_headers(owner)

    async def follow(**more: str) -> httpx.Response:
        return await client.get(path, headers=headers | more)

    return follow


async def test_after_the_end_there_is_nothing_to_reconnect_to(follow_ended: Follow) -> None:
    replayed = await follow_ended()
    over = await follow_ended(**{"Last-Event-ID": "2"})

    assert replayed.headers["content-type"].startswith("text/event-stream")
    assert replayed.text.startswith("retry: 2000\n\nevent: status\n")
    assert "event: end\n" in replayed.text
    assert (over.status_code, over.content) == (204, b"")


@pytest.mark.parametrize("event_id", ["none", "-1", "99999", str(2**31), str(2**63), "9" * 5000])
async def test_what_is_no_event_of_the_job_begins_with_a_snapshot(follow_ended: Follow, event_id: str) -> None:
    answer = await follow_ended(**{"Last-Event-ID": event_id})

    assert answer.status_code == 200
    assert answer.text.startswith("retry: 2000\n\nevent: reset\n")


async def test_a_project_shows_all_its_jobs_and_then_what_changes(
    database: Database,
    notifier: Notifier,
    viewer: StreamAccess,
    project: Project,
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(change_watcher, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(streams, "JOBS_AT_ONCE", 2)
    old = utc_now() - timedelta(hours=1)
    jobs = [await make_job(status=S.RUNNING, updated_at=old) for _ in range(3)]
    stream = streams.project_snapshots(database, notifier, viewer=viewer, project_id=project.id)
    async with running_change_watcher(database, notifier), aclosing(parsed(stream)) as events:
        all_of_them = await take(events, 3)
        await complete(database, notifier, jobs[1])
        [changed] = await take(events, 1)
        async with database.transaction() as session:
            (await reload(session, jobs[0])).deleted_at = utc_now()
        [gone] = await take(events, 1)

    assert [sent.data["id"] for sent in all_of_them] == [job.id for job in reversed(jobs)]
    assert (changed.event, changed.data["id"], changed.data["status"]) == ("snapshot", jobs[1].id, "completed")
    assert (gone.event, gone.data) == ("deleted", {"id": jobs[0].id})
