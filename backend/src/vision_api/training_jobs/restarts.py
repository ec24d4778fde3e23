"""What becomes of a job that has lost its instance or its trainer."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.models import JobStatus, TrainingJob
from vision_api.training_jobs.advice import next_step_advice
from vision_api.training_jobs.instrumentation import RESTARTS
from vision_api.training_jobs.loops import leases
from vision_api.training_jobs.status import StatusReason, switch_status
from vision_contracts import EndReason, WaitReason

MAX_RESTARTS = 5
MAX_IDLE_RESTARTS = 2
BACK_OFF_SECONDS = (0, 10, 30, 60, 120)


def lose_attempt(session: AsyncSession, job: TrainingJob, reason: EndReason, message: str) -> None:
    """An attempt ended through no fault of the job. It is tried again from the newest checkpoint, within bounds."""
    leave_instance(job)
    match job.status:
        case JobStatus.STOPPING:
            why = StatusReason(
                EndReason.STOPPED_BY_USER, f"It was being stopped by a user. {message} {next_step_advice(job)}"
            )
            switch_status(session, job, JobStatus.CANCELLED, why)
        case JobStatus.PAUSING:
            switch_status(session, job, JobStatus.PAUSED, StatusReason(None, message))
        case _ if (given_up := _restart_limit_message(job)) is not None:
            why = StatusReason(
                reason, f"{message} {given_up} Look into its log for what ends it. {next_step_advice(job)}"
            )
            switch_status(session, job, JobStatus.FAILED, why)
        case _:
            _restart(session, job, message)


def requeue_stopped(session: AsyncSession, job: TrainingJob) -> None:
    """The platform stopped the attempt on purpose, after a checkpoint: this does not count as a restart."""
    leave_instance(job)
    message = "The platform was stopped. The experiment goes on from its last checkpoint when it is back."
    switch_status(session, job, JobStatus.QUEUED, StatusReason(WaitReason.PLATFORM_STOPPED, message))


def leave_instance(job: TrainingJob) -> None:
    """The current attempt is over: no instance should hold it any more, and nobody needs to follow it."""
    leases.release(job)
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
    why = StatusReason(
        WaitReason.BACKING_OFF if delay_seconds else None,
        f"{message} Restart {job.restarts} of at most {MAX_RESTARTS} {where}, {when}.",
    )
    switch_status(session, job, JobStatus.QUEUED, why)
