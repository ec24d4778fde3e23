"""Reset of the runtime state in a restored database: attempts and sessions that have moved on since the backup."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import AuthSession, JobStatus, TrainingJob
from vision_api.training_jobs.restarts import end_attempt, leave_instance, requeue_stopped
from vision_api.training_jobs.status import ACTIVE
from vision_contracts import EndReason

ATTEMPTS_SKIPPED = 100
"""Attempts that may have started after the backup: an instance may hold them, and storage may have their files."""


async def reset_runtime_state(session: AsyncSession) -> int:
    """Queue running jobs again, skip the numbers of unknown attempts, and delete all sessions of users.

    Returns the number of jobs that were active.
    """
    is_active = TrainingJob.status.in_(ACTIVE) | TrainingJob.instance_id.is_not(None)
    jobs = (await session.scalars(select(TrainingJob).where(is_active).with_for_update())).all()
    for job in jobs:
        if job.status in (JobStatus.STOPPING, JobStatus.PAUSING):
            end_attempt(session, job, EndReason.SERVICE_LOST, "The platform was restored from a backup.")
        elif job.status in ACTIVE:
            requeue_stopped(session, job)
        else:
            leave_instance(job)
    await session.flush()
    skipped = func.coalesce(TrainingJob.attempt, 0) + ATTEMPTS_SKIPPED
    reset = update(TrainingJob).values(
        attempt_floor=skipped, lease_owner=None, lease_expires_at=None, updated_at=TrainingJob.updated_at
    )
    await session.execute(reset.execution_options(synchronize_session=False))
    await session.execute(delete(AuthSession))
    return len(jobs)
