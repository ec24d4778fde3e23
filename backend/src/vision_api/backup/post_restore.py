"""What a restored database must forget: what was going on when it was kept has gone on, or ended, without it."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import AuthSession, JobStatus, TrainingJob
from vision_api.training_jobs.restarts import leave_instance, lose_attempt, requeue_stopped
from vision_api.training_jobs.status import ACTIVE
from vision_contracts import EndReason

ATTEMPTS_SKIPPED = 100
"""Attempts that may have been made after the backup: an instance may hold them, and their files lie in storage."""


async def reset_runtime_state(session: AsyncSession) -> int:
    """Queue what was running, skip the numbers of attempts that nobody here remembers, and sign everybody out.

    Returns how many jobs go on from their last checkpoint.
    """
    going = TrainingJob.status.in_(ACTIVE) | TrainingJob.instance_id.is_not(None)
    jobs = (await session.scalars(select(TrainingJob).where(going).with_for_update())).all()
    for job in jobs:
        if job.status in (JobStatus.STOPPING, JobStatus.PAUSING):
            lose_attempt(session, job, EndReason.SERVICE_LOST, "The platform was restored from a backup.")
        elif job.status in ACTIVE:
            requeue_stopped(session, job)
        else:
            leave_instance(job)
    await session.flush()
    skipped = func.coalesce(TrainingJob.attempt, 0) + ATTEMPTS_SKIPPED
    kept = update(TrainingJob).values(
        attempt_floor=skipped, lease_owner=None, lease_expires_at=None, updated_at=TrainingJob.updated_at
    )
    await session.execute(kept.execution_options(synchronize_session=False))
    await session.execute(delete(AuthSession))
    return len(jobs)
