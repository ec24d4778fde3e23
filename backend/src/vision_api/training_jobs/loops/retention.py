"""Bounds on the stored events and log lines of a job: a training that never ends must not fill the disk."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.config import Settings
from vision_api.models import TrainingJob
from vision_api.training_jobs.loops.repository import removal

SLACK = 10
"""Divisor of a bound: old rows are deleted each time another tenth has come, since each batch would cost more."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Numbers of rows that are kept of each job. Metrics are all kept."""

    events: int = 10_000
    log_lines: int = 100_000
    event_days: int = 30
    """Days after the end of a job. 0: no limit."""
    state_days: int = 30
    """Days after the end of a job, after which its weights alone are kept. 0: no limit."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(
            events=settings.job_events_kept,
            log_lines=settings.job_log_lines_kept,
            event_days=settings.job_events_kept_days,
            state_days=settings.training_state_kept_days,
        )


DEFAULT_RETENTION = Retention()


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """Numbers of events and log lines that a job has had so far."""

    events: int
    log_lines: int

    @classmethod
    def of(cls, job: TrainingJob) -> Self:
        return cls(job.last_event_id, job.last_log_id)


async def delete_excess(session: AsyncSession, job: TrainingJob, before: StoredCounts, retention: Retention) -> None:
    """Delete all but the newest events and log lines, after a batch that began at `before`."""
    now = StoredCounts.of(job)
    if _is_due(before.events, now.events, retention.events):
        await removal.delete_first_events(session, job.id, up_to=now.events - retention.events)
    if _is_due(before.log_lines, now.log_lines, retention.log_lines):
        await removal.delete_first_log_lines(session, job.id, up_to=now.log_lines - retention.log_lines)


def _is_due(before: int, now: int, kept: int) -> bool:
    step = max(1, kept // SLACK)
    return now > kept and before // step != now // step
