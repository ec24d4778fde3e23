"""Requests that change a training job's status. Only the row changes here; the loops act upon it."""

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import Conflict, Invalid, InvalidTransition
from vision_api.kit.clock import utc_now
from vision_api.kit.logging import request_id_var
from vision_api.models import JobStatus, TrainingJob, User
from vision_api.training_jobs import access
from vision_api.training_jobs.events import announce_request
from vision_api.training_jobs.kinds import Action
from vision_api.training_jobs.resolution.resolver import JobResolver, merge_changes
from vision_api.training_jobs.restarts import leave_instance
from vision_api.training_jobs.schemas import TrainingJobRead, TrainingJobUpdate
from vision_api.training_jobs.status import ACTIVE, ENDED, StatusReason, is_allowed, next_step_advice, switch_status
from vision_api.training_jobs.use_cases import lock_unchanged, read_with_position
from vision_contracts import EndReason

_S = JobStatus


async def start(session: AsyncSession, *, user: User, job_id: int) -> TrainingJobRead:
    """Queue a pending job. It waits for its training service if that is down."""
    job = await access.lock_job_for(session, user, job_id)
    _require(job, "started", {_S.PENDING})
    _enqueue(session, job)
    return await read_with_position(session, job)


async def resume(session: AsyncSession, *, user: User, job_id: int) -> TrainingJobRead:
    """Resume from the newest checkpoint: after a pause, and also after an end that left one."""
    job = await access.lock_job_for(session, user, job_id)
    _require(job, "resumed", {_S.PAUSED, _S.FAILED, _S.CANCELLED})
    if job.status is not _S.PAUSED:
        _require_checkpoint(job)
    _enqueue(session, job)
    return await read_with_position(session, job)


async def retry(
    resolver: JobResolver, *, user: User, job_id: int, changes: TrainingJobUpdate | None = None
) -> TrainingJobRead:
    """Train again from the beginning, optionally with other settings."""
    async with resolver.database.snapshot() as session:
        before = await access.get_job_for(session, user, job_id, role="editor")
    _require(before, "retried", ENDED)
    settings = await resolver.resolve(user=user, request=merge_changes(before, changes))
    async with resolver.database.transaction() as session:
        job = await lock_unchanged(session, user, before)
        settings.write_to(job)
        _reset_training(job)
        _enqueue(session, job)
        return await read_with_position(session, job)


async def extend(session: AsyncSession, *, user: User, job_id: int, epochs: int) -> TrainingJobRead:
    """Continue from the newest checkpoint up to `epochs`, the new total."""
    job = await access.lock_job_for(session, user, job_id)
    _require(job, "extended", ENDED)
    _require_checkpoint(job)
    if epochs <= job.epochs:
        raise Invalid(f"epochs is the new total, so it must be more than the {job.epochs} of now.", field="epochs")
    job.epochs = epochs
    _enqueue(session, job)
    return await read_with_position(session, job)


async def stop(session: AsyncSession, *, user: User, job_id: int) -> TrainingJobRead:
    """Stop a job: at once while it waits, else as soon as its trainer has saved a checkpoint."""
    job = await access.lock_job_for(session, user, job_id)
    _stop_or_pause(session, job, "stopped", waiting=_S.CANCELLED, active=_S.STOPPING)
    return await read_with_position(session, job)


async def pause(session: AsyncSession, *, user: User, job_id: int) -> TrainingJobRead:
    """Pause a job, to be resumed later from the newest checkpoint."""
    job = await access.lock_job_for(session, user, job_id)
    _stop_or_pause(session, job, "paused", waiting=_S.PAUSED, active=_S.PAUSING)
    return await read_with_position(session, job)


def _enqueue(session: AsyncSession, job: TrainingJob) -> None:
    """Queue a job at a user's request: its earlier restarts do not count any more."""
    job.queued_at = utc_now()
    job.request_id = request_id_var.get()
    job.not_before = None
    job.restarts = job.idle_restarts = 0
    job.eta_seconds = None
    switch_status(session, job, _S.QUEUED)
    announce_request(session, job)


def _reset_training(job: TrainingJob) -> None:
    """Let the next attempt begin at step 0. Its `started` event deletes the points of the old curve."""
    job.checkpoint_uri = job.checkpoint_step = None
    job.progress_epoch = job.progress_step = job.progress_steps = 0
    job.accuracy = job.loss = job.primary_value = None
    job.started_at = job.num_classes = None


def _stop_or_pause(
    session: AsyncSession, job: TrainingJob, action: Action, *, waiting: JobStatus, active: JobStatus
) -> None:
    """Switch an active job to `active`, until its instance has ended the attempt, and one that waits to `waiting`."""
    access.require_training(job, action)
    status = active if job.status in ACTIVE else waiting
    if not is_allowed(job.status, status):
        raise InvalidTransition(f"This experiment is {job.status}: it cannot be {action}.")
    if status is waiting:
        leave_instance(job)  # an attempt that is being sent now is stopped by the reconcile loop once it has arrived
    code = EndReason.STOPPED_BY_USER if action == "stopped" else None
    advice = f" {next_step_advice(job)}" if status is _S.CANCELLED else ""
    switch_status(session, job, status, StatusReason(code, f"It was {action} by a user.{advice}"))
    announce_request(session, job)


def _require(job: TrainingJob, action: Action, statuses: frozenset[JobStatus] | set[JobStatus]) -> None:
    access.require_training(job, action)
    if job.status not in statuses:
        allowed = " or ".join(sorted(statuses))
        raise InvalidTransition(f"This experiment is {job.status}: only a {allowed} one can be {action}.")


def _require_checkpoint(job: TrainingJob) -> None:
    if job.checkpoint_uri is None:
        raise Conflict("This experiment has left no checkpoint to resume from: retry it instead.")
