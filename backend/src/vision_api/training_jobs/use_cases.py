"""Requests about training jobs, each in one transaction. Of a status only the row changes; the loops act upon it."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import Conflict, Invalid, InvalidTransition, NotFound
from vision_api.kit.clock import utc_now
from vision_api.kit.idempotency import Idempotency
from vision_api.kit.logging import request_id_var
from vision_api.kit.pagination import Page, PageRequest
from vision_api.models import JobStatus, TrainingJob, User
from vision_api.projects.access import MISSING as PROJECT_MISSING
from vision_api.projects.repository import add_to_experiment_count
from vision_api.storage_layout import job_uri
from vision_api.training_jobs import access, repository
from vision_api.training_jobs.events import announce_request
from vision_api.training_jobs.kinds import Action, rules_of
from vision_api.training_jobs.restarts import leave_instance
from vision_api.training_jobs.schemas import TrainingJobRead
from vision_api.training_jobs.serializers import read_job
from vision_api.training_jobs.settings import JobSettings
from vision_api.training_jobs.status import ACTIVE, ENDED, StatusReason, is_allowed, next_step_advice, switch_status
from vision_contracts import EndReason

_S = JobStatus


async def create(
    session: AsyncSession,
    *,
    user: User,
    project_id: int,
    settings: JobSettings,
    storage_url: str,
    idempotency: Idempotency | None,
    body: BaseModel | Mapping[str, Any],
) -> TrainingJobRead:
    """Create a job, `pending`: nothing runs. `body` is that of the client, for its idempotency key."""

    async def add() -> TrainingJobRead:
        if not await add_to_experiment_count(session, project_id, 1):
            raise NotFound(PROJECT_MISSING)
        now = utc_now()
        uid = uuid4()
        job = TrainingJob(
            job_uid=uid,
            output_uri=job_uri(storage_url, uid),
            project_id=project_id,
            created_by_id=user.id,
            created_at=now,
            updated_at=now,
            status=_S.PENDING,
            **settings.columns(),
        )
        session.add(job)
        await session.flush()
        return read_job(job, None)

    if idempotency is None:
        return await add()
    return await idempotency.once(
        session,
        user_id=user.id,
        body=body,
        result_type=TrainingJobRead,
        create=add,
        find=lambda made: access.get_job_for(session, user, made.id),
    )


async def get(session: AsyncSession, *, user: User, job_id: int) -> TrainingJobRead:
    """Return one job. Raises NotFound."""
    return await _read(session, await access.get_job_for(session, user, job_id))


async def page(session: AsyncSession, *, query: Select[TrainingJob], params: PageRequest) -> Page[TrainingJobRead]:
    """Return one page of `repository.visible_jobs`, newest first."""
    found = await repository.page_jobs(session, query, params)
    positions = await repository.queue_positions(session, found.items)
    return found.map(lambda job: read_job(job, positions.get(job.id)))


async def change_settings(
    session: AsyncSession, *, user: User, before: TrainingJob, settings: JobSettings
) -> TrainingJobRead:
    """Change the settings of a job that was read before. Raises Conflict if it has changed since."""
    job = await _lock_unchanged(session, user, before)
    settings.write_to(job)
    announce_request(session, job)
    return await _read(session, job)


async def delete(session: AsyncSession, *, user: User, job_id: int) -> None:
    """Mark a job as deleted: it disappears at once, and the loops stop it and delete its rows and files."""
    found = await access.get_job_for(session, user, job_id, role="editor")
    access.require_training(found, "deleted")
    if found.project_id is not None and rules_of(found).is_experiment:
        await add_to_experiment_count(session, found.project_id, -1)
    job = await access.lock_job_for(session, user, job_id)  # raises in the second of two deletions: no count is lost
    job.deleted_at = utc_now()
    await repository.delete_operations(session, job)
    announce_request(session, job)


async def trim_training_state(session: AsyncSession, *, user: User, job_id: int) -> None:
    """Trim an ended job to its weights. Does nothing to one that is trimmed already."""
    job = await access.lock_job_for(session, user, job_id)
    access.require_status(job, "trimmed", ENDED)
    if job.is_state_trimmed:
        return
    if not await repository.delete_training_state(session, job.id, due_at=utc_now()) and job.checkpoint_uri is not None:
        raise Conflict(
            "The checkpoints of this experiment hold weights and training state in one file, as older services wrote "
            "it: it cannot be trimmed. Register its best weights as a model and delete the experiment to free space."
        )
    job.is_state_trimmed = True
    announce_request(session, job)


async def start(session: AsyncSession, *, user: User, job_id: int) -> TrainingJobRead:
    """Queue a pending job. It waits for its training service if that is down."""
    job = await access.lock_job_for(session, user, job_id)
    access.require_status(job, "started", {_S.PENDING})
    await _enqueue(session, job)
    return await _read(session, job)


async def resume(session: AsyncSession, *, user: User, job_id: int) -> TrainingJobRead:
    """Resume from the newest checkpoint: after a pause, and also after an end that left one."""
    job = await access.lock_job_for(session, user, job_id)
    access.require_status(job, "resumed", {_S.PAUSED, _S.FAILED, _S.CANCELLED})
    if job.status is not _S.PAUSED:
        _require_checkpoint(job)
    await _enqueue(session, job)
    return await _read(session, job)


async def retry(session: AsyncSession, *, user: User, before: TrainingJob, settings: JobSettings) -> TrainingJobRead:
    """Train a job that was read before again from the beginning. Raises Conflict if it has changed since."""
    job = await _lock_unchanged(session, user, before)
    settings.write_to(job)
    _reset_training(job)
    await _enqueue(session, job)
    return await _read(session, job)


async def extend(session: AsyncSession, *, user: User, job_id: int, epochs: int) -> TrainingJobRead:
    """Continue from the newest checkpoint up to `epochs`, the new total."""
    job = await access.lock_job_for(session, user, job_id)
    access.require_status(job, "extended", ENDED)
    _require_checkpoint(job)
    if epochs <= job.epochs:
        raise Invalid(f"epochs is the new total, so it must be more than the {job.epochs} of now.", field="epochs")
    job.epochs = epochs
    await _enqueue(session, job)
    return await _read(session, job)


async def stop(session: AsyncSession, *, user: User, job_id: int) -> TrainingJobRead:
    """Stop a job: at once while it waits, else as soon as its trainer has saved a checkpoint."""
    job = await access.lock_job_for(session, user, job_id)
    _stop_or_pause(session, job, "stopped", waiting=_S.CANCELLED, active=_S.STOPPING)
    return await _read(session, job)


async def pause(session: AsyncSession, *, user: User, job_id: int) -> TrainingJobRead:
    """Pause a job, to be resumed later from the newest checkpoint."""
    job = await access.lock_job_for(session, user, job_id)
    _stop_or_pause(session, job, "paused", waiting=_S.PAUSED, active=_S.PAUSING)
    return await _read(session, job)


async def _read(session: AsyncSession, job: TrainingJob) -> TrainingJobRead:
    """Return a job as clients see it, with the changes of the open transaction."""
    await session.flush()
    positions = await repository.queue_positions(session, [job])
    return read_job(job, positions.get(job.id))


async def _lock_unchanged(session: AsyncSession, user: User, before: TrainingJob) -> TrainingJob:
    """Lock a job that was read before. Raises Conflict if its settings have changed since."""
    job = await access.lock_job_for(session, user, before.id)
    if JobSettings.of(job) != JobSettings.of(before) or (job.status, job.attempt) != (before.status, before.attempt):
        raise Conflict("This experiment was changed at the same time. Load it again and retry.")
    return job


async def _enqueue(session: AsyncSession, job: TrainingJob) -> None:
    """Queue a job at a user's request: its earlier restarts do not count any more. Raises QuotaExceeded."""
    await access.require_queue_room(session, user_id=job.created_by_id)
    job.queued_at = utc_now()
    job.request_id = request_id_var.get()
    job.not_before = None
    job.restarts = job.idle_restarts = 0
    job.eta_seconds = None
    switch_status(session, job, _S.QUEUED, StatusReason(None, _what_begins_anew(job)))
    announce_request(session, job)


def _what_begins_anew(job: TrainingJob) -> str | None:
    if job.checkpoint_uri is None or not job.is_state_trimmed:
        return None
    return (
        f"Its training state was trimmed: it continues from the weights of step {job.checkpoint_step}, with a new "
        "optimizer."
    )


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


def _require_checkpoint(job: TrainingJob) -> None:
    if job.checkpoint_uri is None:
        raise Conflict("This experiment has left no checkpoint to resume from: retry it instead.")
