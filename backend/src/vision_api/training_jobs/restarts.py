"""The end of an attempt at its instance: loss and restart within bounds, or back to the queue. Used by loops and
requests.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.models import JobStatus, TrainingJob
from vision_api.training_jobs.instrumentation import RESTARTS
from vision_api.training_jobs.leases import release_lease
from vision_api.training_jobs.status import StatusReason, end_job, next_step_advice, switch_status
from vision_contracts import EndReason, WaitReason

MAX_RESTARTS = 5
MAX_IDLE_RESTARTS = 2
BACK_OFF_SECONDS = (0, 10, 30, 60, 120)


def end_attempt(
    session: AsyncSession,
    job: TrainingJob,
    reason: EndReason,
    message: str,
    *,
    proposed_changes: dict[str, Any] | None = None,
    time: datetime | None = None,
) -> None:
    """Restart a job whose attempt did not finish, or end it, as the reason implies. The job's row must be locked."""
    leave_instance(job)
    if reason.is_retried:
        _restart_within_bounds(session, job, reason, message)
    else:
        end_job(session, job, reason, message, proposed_changes=proposed_changes, time=time)


def _restart_within_bounds(session: AsyncSession, job: TrainingJob, reason: EndReason, message: str) -> None:
    """Restart a job from the newest checkpoint, unless its user has stopped it, or it was restarted too often."""
    match job.status:
        case JobStatus.STOPPING:
            message = f"It was being stopped by a user. {message} {next_step_advice(job)}"
            end_job(session, job, EndReason.STOPPED_BY_USER, message)
        case JobStatus.PAUSING:
            switch_status(session, job, JobStatus.PAUSED, StatusReason(None, message))
        case _ if (limit := _restart_limit_message(job)) is not None:
            end_job(session, job, reason, f"{message} {limit} {reason.advice} {next_step_advice(job)}")
        case _:
            _restart(session, job, message)


def requeue_stopped(session: AsyncSession, job: TrainingJob) -> None:
    """Requeue a job that the platform stopped on purpose, after a checkpoint: this does not count as a restart."""
    leave_instance(job)
    message = "The platform was stopped. The experiment resumes from its last checkpoint when it is back."
    switch_status(session, job, JobStatus.QUEUED, StatusReason(WaitReason.PLATFORM_STOPPED, message))


def leave_instance(job: TrainingJob) -> None:
    """Detach a job from its instance when the current attempt is over: events are no longer collected from there."""
    release_lease(job)
    job.instance_id = None
    job.dispatched_at = None
    job.eta_seconds = None


def _restart_limit_message(job: TrainingJob) -> str | None:
    if job.idle_restarts >= MAX_IDLE_RESTARTS:
        return f"It was restarted {job.idle_restarts} times without reaching a new checkpoint, so it is given up."
    if job.restarts >= MAX_RESTARTS:
        return f"It was restarted {job.restarts} times, so it is given up."
    return None


def _restart(session: AsyncSession, job: TrainingJob, message: str) -> None:
    delay_seconds = BACK_OFF_SECONDS[job.restarts]
    job.restarts += 1
    RESTARTS.labels(job.framework).inc()
    job.idle_restarts += 1
    job.not_before = utc_now() + timedelta(seconds=delay_seconds) if delay_seconds else None
    when = f"in {delay_seconds} seconds" if delay_seconds else "now"
    where = f"from step {job.checkpoint_step}" if job.checkpoint_step is not None else "from the beginning"
    code = WaitReason.BACKING_OFF if delay_seconds else None
    message = f"{message} Restart {job.restarts} of at most {MAX_RESTARTS} {where}, {when}."
    switch_status(session, job, JobStatus.QUEUED, StatusReason(code, message))
