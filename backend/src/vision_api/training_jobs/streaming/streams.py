"""Server-sent events: a job's numbered events with replay, and a project's job snapshots.

No database session is open while a stream waits.
"""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from anyio import CancelScope
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.auth.dependencies import StreamAccess
from vision_api.db.session import Database
from vision_api.errors import ApiError
from vision_api.kit.clock import utc_now
from vision_api.models import JobEvent, TrainingJob
from vision_api.projects.access import get_project_for
from vision_api.training_jobs import access, repository
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.serializers import read_job
from vision_api.training_jobs.status import ENDED
from vision_api.training_jobs.streaming.change_watcher import RECENT
from vision_contracts import format_time

RETRY = b"retry: 2000\n\n"
PING_SECONDS = 15.0
ACCESS_CHECK_SECONDS = 30.0
EVENTS_AT_ONCE = 500
JOBS_AT_ONCE = 200

_json: TypeAdapter[Any] = TypeAdapter(Any)


@dataclass
class _StreamTimer:
    """Times of the next ping and of the next check of the user's rights."""

    sent_at: float = field(default_factory=time.monotonic)
    checked_at: float = field(default_factory=time.monotonic)

    def ping(self) -> list[bytes]:
        """Return a keep-alive comment if nothing has been sent for a while."""
        if time.monotonic() - self.sent_at < PING_SECONDS:
            return []
        self.sent_at = time.monotonic()
        return [KEEPALIVE_COMMENT]

    def seconds_until_due(self) -> float:
        """Return the time until the next ping or check."""
        due = min(self.sent_at + PING_SECONDS, self.checked_at + ACCESS_CHECK_SECONDS)
        return max(due - time.monotonic(), 0.0)

    async def recheck(self, viewer: StreamAccess) -> bool:
        """Check every 30 s that the sign-in is still valid. Returns True if the membership must be checked too.

        Raises Unauthorized.
        """
        if time.monotonic() - self.checked_at < ACCESS_CHECK_SECONDS:
            return False
        self.checked_at = time.monotonic()
        with CancelScope(shield=True):
            await viewer.recheck()
        return True


@asynccontextmanager
async def _whole_snapshot(database: Database) -> AsyncGenerator[AsyncSession]:
    """Open a snapshot that a disconnecting client cannot cancel: a cancelled statement would cost its connection."""
    with CancelScope(shield=True):
        async with database.snapshot() as session:
            yield session


async def job_events(
    database: Database, notifier: Notifier, *, viewer: StreamAccess, job_id: int, after: int
) -> AsyncGenerator[bytes]:
    """Yield the events after an id, up to the job's end. The first event is 1."""
    yield RETRY
    timer, cursor, is_over, has_changed = _StreamTimer(), after, False, True
    with notifier.subscribe_job(job_id) as changed:
        while not is_over:
            try:
                is_check_due, messages = await timer.recheck(viewer), list[bytes]()
                if has_changed or is_check_due:
                    async with _whole_snapshot(database) as session:
                        if is_check_due:
                            await access.get_job_for(session, viewer.user, job_id)
                        messages, cursor, is_over = await _next_messages(session, job_id, cursor)
            except ApiError:
                return  # the client connects again and gets the error
            for message in messages or timer.ping():
                timer.sent_at = time.monotonic()
                yield message
            if len(messages) < EVENTS_AT_ONCE and not is_over:
                has_changed = await changed.wait(timer.seconds_until_due())


async def _next_messages(session: AsyncSession, job_id: int, cursor: int) -> tuple[list[bytes], int, bool]:
    """Return the next messages, the id of the last one, and whether it was the end."""
    job = await repository.get_job(session, job_id)
    if job is None:
        return [], cursor, True
    events = await repository.list_events(session, job_id, after=cursor, limit=EVENTS_AT_ONCE)
    first_missing = events[0].event_id if events else job.last_event_id + 1
    if first_missing != cursor + 1:
        return [await _reset(session, job)], job.last_event_id, job.status in ENDED
    cursor = events[-1].event_id if events else cursor
    return [_message(event) for event in events], cursor, job.status in ENDED and cursor >= job.last_event_id


async def _reset(session: AsyncSession, job: TrainingJob) -> bytes:
    """Return the event for a client whose missed events are not kept any more: it must load everything again."""
    positions = await repository.queue_positions(session, [job])
    snapshot = read_job(job, positions.get(job.id)).model_dump(mode="json")
    data = _head(job.id, job.attempt, utc_now()) | {"job": snapshot}
    return format_sse_event(event="reset", id=str(job.last_event_id), data_str=_dump(data))


def _message(event: JobEvent) -> bytes:
    data = _head(event.job_id, event.attempt, event.time) | event.data
    return format_sse_event(event=event.type, id=str(event.event_id), data_str=_dump(data))


def _head(job_id: int, attempt: int, moment: datetime) -> dict[str, Any]:
    return {"job_id": job_id, "attempt": attempt, "time": format_time(moment)}


def _dump(data: Any) -> str:
    return _json.dump_json(data).decode()


async def project_snapshots(
    database: Database, notifier: Notifier, *, viewer: StreamAccess, project_id: int
) -> AsyncGenerator[bytes]:
    """Yield a snapshot of every job of a project, then of each one that changes. There is no replay."""
    yield RETRY
    since, before, seen = utc_now(), None, dict[int, int]()
    while True:
        async with _whole_snapshot(database) as session:
            jobs = await repository.list_project_jobs(session, project_id, before_id=before, limit=JOBS_AT_ONCE)
            messages = await _snapshots(session, jobs)
        seen |= {job.id: _version(job) for job in jobs if job.updated_at > since - RECENT}
        for message in messages:
            yield message
        if len(jobs) < JOBS_AT_ONCE:
            break
        before = jobs[-1].id
    async for message in _changes(database, notifier, viewer, project_id, since, seen):
        yield message


async def _changes(
    database: Database, notifier: Notifier, viewer: StreamAccess, project_id: int, since: datetime, seen: dict[int, int]
) -> AsyncGenerator[bytes]:
    timer, has_changed = _StreamTimer(), True
    with notifier.subscribe_project(project_id) as changed:
        while True:
            try:
                is_check_due, messages = await timer.recheck(viewer), list[bytes]()
                if has_changed or is_check_due:
                    async with _whole_snapshot(database) as session:
                        if is_check_due:
                            await get_project_for(session, viewer.user, project_id)
                        recent = await repository.list_changed_jobs(session, project_id, since=since - RECENT)
                        messages = await _snapshots(
                            session, [job for job in recent if seen.get(job.id) != _version(job)]
                        )
                    seen = {job.id: _version(job) for job in recent}
                    since = max((job.updated_at for job in recent), default=since)
            except ApiError:
                return
            for message in messages or timer.ping():
                timer.sent_at = time.monotonic()
                yield message
            has_changed = await changed.wait(timer.seconds_until_due())


def _version(job: TrainingJob) -> int:
    return hash((job.updated_at, job.last_event_id))


async def _snapshots(session: AsyncSession, jobs: Sequence[TrainingJob]) -> list[bytes]:
    positions = await repository.queue_positions(session, jobs)
    return [
        format_sse_event(event="deleted", data_str=_dump({"id": job.id}))
        if job.deleted_at is not None
        else format_sse_event(event="snapshot", data_str=read_job(job, positions.get(job.id)).model_dump_json())
        for job in jobs
    ]
