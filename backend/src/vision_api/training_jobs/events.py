"""The numbered events that followers of a job read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.models import JobEvent, TrainingJob


def append_event(
    session: AsyncSession, job: TrainingJob, kind: str, data: Mapping[str, Any], *, time: datetime | None = None
) -> None:
    """Tell whoever follows the job. Its row must be locked, since the id is the next one of this job."""
    session.add(JobEvent(**next_event(job, kind, data, time=time or utc_now())))


def next_event(job: TrainingJob, kind: str, data: Mapping[str, Any], *, time: datetime) -> dict[str, Any]:
    """The row of a job's next event, for those who write many with one statement. The job's row must be locked."""
    job.last_event_id += 1
    return {
        "job_id": job.id,
        "event_id": job.last_event_id,
        "type": kind,
        "attempt": job.attempt,
        "time": time,
        "data": data,
    }
