"""Numbered events of a job, as its event stream sends them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.db.session import announce_after_commit
from vision_api.kit.clock import utc_now
from vision_api.models import JobEvent, TrainingJob

JOB_REQUESTED = "job_requested"


def announce_request(session: AsyncSession, job: TrainingJob) -> None:
    """Wake the loops and the job's streams of this process once a user's request about a job is committed."""
    announce_after_commit(session, JOB_REQUESTED, job.id)


def append_event(
    session: AsyncSession, job: TrainingJob, kind: str, data: Mapping[str, Any], *, time: datetime | None = None
) -> None:
    """Append an event to the job's stream. Its row must be locked, since the id is the next one of this job."""
    session.add(JobEvent(**next_event(job, kind, data, time=time or utc_now())))


def next_event(job: TrainingJob, kind: str, data: Mapping[str, Any], *, time: datetime) -> dict[str, Any]:
    """Return the row of a job's next event, for a bulk insert. The job's row must be locked."""
    job.last_event_id += 1
    return {
        "job_id": job.id,
        "event_id": job.last_event_id,
        "type": kind,
        "attempt": job.attempt,
        "time": time,
        "data": data,
    }
