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
    job.last_event_id += 1
    session.add(
        JobEvent(
            job_id=job.id,
            event_id=job.last_event_id,
            type=kind,
            attempt=job.attempt,
            time=time or utc_now(),
            data=dict(data),
        )
    )
