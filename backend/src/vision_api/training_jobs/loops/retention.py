"""How much is kept of what jobs tell: a training that never ends must not fill the disk. Metrics all stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.config import Settings
from vision_api.models import JobEvent, LogLine, TrainingJob

SLACK = 10
"""A bound is enforced each time another tenth of it has come: deleting a few rows in every batch would cost more."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of each job."""

    events: int = 10_000
    log_lines: int = 100_000
    event_days: int = 30
    """After its end. 0: for ever."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(settings.job_events_kept, settings.job_log_lines_kept, settings.job_events_kept_days)


DEFAULT_RETENTION = Retention()


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """How much a job had told at some moment."""

    events: int
    log_lines: int

    @classmethod
    def by(cls, job: TrainingJob) -> Self:
        return cls(job.last_event_id, job.last_log_id)


async def forget_old(session: AsyncSession, job: TrainingJob, before: StoredCounts, retention: Retention) -> None:
    """Keep the newest events and log lines, after a batch that began at `before`."""
    now = StoredCounts.by(job)
    if _is_due(before.events, now.events, retention.events):
        old = (JobEvent.job_id == job.id) & (JobEvent.event_id <= now.events - retention.events)
        await session.execute(delete(JobEvent).where(old).execution_options(synchronize_session=False))
    if _is_due(before.log_lines, now.log_lines, retention.log_lines):
        old = (LogLine.job_id == job.id) & (LogLine.line_id <= now.log_lines - retention.log_lines)
        await session.execute(delete(LogLine).where(old).execution_options(synchronize_session=False))


def _is_due(before: int, now: int, kept: int) -> bool:
    step = max(1, kept // SLACK)
    return now > kept and before // step != now // step


async def list_with_stale_events(session: AsyncSession, *, ended_before: datetime, limit: int) -> Sequence[int]:
    """Jobs that ended long ago and still have events."""
    has_events = exists().where(JobEvent.job_id == TrainingJob.id)
    stale = select(TrainingJob.id).where(TrainingJob.completed_at < ended_before, has_events)
    return (await session.scalars(stale.limit(limit))).all()


async def forget_events(session: AsyncSession, job_id: int, *, ended_before: datetime) -> None:
    """Whoever follows the job gets a snapshot in their place. One that was started again meanwhile keeps them."""
    is_stale = exists().where(TrainingJob.id == job_id, TrainingJob.completed_at < ended_before)
    old = delete(JobEvent).where(JobEvent.job_id == job_id, is_stale)
    await session.execute(old.execution_options(synchronize_session=False))
