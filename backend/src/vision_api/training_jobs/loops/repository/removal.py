"""Statements that delete rows which are no longer needed, and list the objects in storage that went with them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.models import Artifact, GarbageObject, JobEvent, LogLine, MetricPoint, TrainingJob
from vision_api.training_jobs.kinds import KIND_RULES
from vision_api.training_jobs.loops.repository.jobs import AT_ONCE, lock_rows, occupies_slot
from vision_api.training_jobs.repository import is_visible
from vision_api.training_jobs.status import ENDED
from vision_contracts import ArtifactKind


async def delete_short_lived(session: AsyncSession) -> None:
    """Mark jobs of kinds that are kept for a time as deleted after it. The sweep frees the rest."""
    now = utc_now()
    is_old = [
        (TrainingJob.kind == kind) & (TrainingJob.completed_at < now - rules.kept)
        for kind, rules in KIND_RULES.items() if rules.kept is not None
    ]  # fmt: skip
    is_over = TrainingJob.status.in_(ENDED) & TrainingJob.deleted_at.is_(None)
    old = update(TrainingJob).where(or_(*is_old), is_over).values(deleted_at=now)
    await session.execute(old.execution_options(synchronize_session=False))


async def lock_removable(session: AsyncSession, *, deleted_before: datetime) -> Sequence[TrainingJob]:
    """Lock deleted jobs that no instance has and no backend has leased."""
    is_old = TrainingJob.project_id.is_(None) | (TrainingJob.deleted_at < deleted_before)
    removable = select(TrainingJob).where(~is_visible(), is_old, ~occupies_slot(), TrainingJob.is_free())
    return await lock_rows(session, removable.limit(AT_ONCE))


async def list_metric_names(session: AsyncSession, job_id: int) -> Sequence[str]:
    """Return the names of a job's curves."""
    return (await session.scalars(select(MetricPoint.name).where(MetricPoint.job_id == job_id).distinct())).all()


async def delete_curve(session: AsyncSession, job_id: int, name: str) -> None:
    """Delete the points of one curve."""
    removed = delete(MetricPoint).where(MetricPoint.job_id == job_id, MetricPoint.name == name)
    await session.execute(removed.execution_options(synchronize_session=False))


async def delete_history(session: AsyncSession, job_id: int, table: type[JobEvent] | type[LogLine]) -> None:
    """Delete the events or the log of a job."""
    removed = delete(table).where(table.job_id == job_id)
    await session.execute(removed.execution_options(synchronize_session=False))


async def delete_job(session: AsyncSession, job: TrainingJob, *, owner: UUID, delete_files_again_at: datetime) -> None:
    """Delete a leased row with the rows that still refer to it. Its folder in storage is deleted once more later: a
    trainer that could not be reached may have stored something after its job was gone.
    """
    removed = delete(TrainingJob).where(TrainingJob.id == job.id, TrainingJob.lease_owner == owner)
    result = await session.execute(removed.execution_options(synchronize_session=False))
    if cast("CursorResult[Any]", result).rowcount:
        await session.merge(GarbageObject(uri=f"{job.output_uri}/", due_at=delete_files_again_at))


async def list_garbage(session: AsyncSession, *, due_before: datetime) -> Sequence[str]:
    """Return URIs of objects to delete now; one that ends with a slash is a folder."""
    due = select(GarbageObject.uri).where(GarbageObject.due_at < due_before).order_by(GarbageObject.due_at)
    return (await session.scalars(due.limit(AT_ONCE))).all()


async def delete_garbage(session: AsyncSession, uris: Collection[str]) -> None:
    """Delete the rows of objects that have been deleted from storage."""
    gone = delete(GarbageObject).where(GarbageObject.uri.in_(uris))
    await session.execute(gone.execution_options(synchronize_session=False))


async def delete_first_events(session: AsyncSession, job_id: int, *, up_to: int) -> None:
    """Delete a job's oldest events, up to and with the id `up_to`."""
    old = delete(JobEvent).where(JobEvent.job_id == job_id, JobEvent.event_id <= up_to)
    await session.execute(old.execution_options(synchronize_session=False))


async def delete_first_log_lines(session: AsyncSession, job_id: int, *, up_to: int) -> None:
    """Delete a job's oldest log lines, up to and with the id `up_to`."""
    old = delete(LogLine).where(LogLine.job_id == job_id, LogLine.line_id <= up_to)
    await session.execute(old.execution_options(synchronize_session=False))


async def list_with_expired_events(session: AsyncSession, *, ended_before: datetime) -> Sequence[int]:
    """Return ids of jobs that ended before that time and still have events."""
    has_events = exists().where(JobEvent.job_id == TrainingJob.id)
    expired = select(TrainingJob.id).where(TrainingJob.completed_at < ended_before, has_events)
    return (await session.scalars(expired.limit(AT_ONCE))).all()


async def lock_with_expired_state(session: AsyncSession, *, ended_before: datetime) -> Sequence[TrainingJob]:
    """Lock jobs that ended before that time and still have their training state."""
    has_state = exists().where(Artifact.job_id == TrainingJob.id, Artifact.kind == ArtifactKind.TRAINING_STATE)
    is_old = TrainingJob.status.in_(ENDED) & (TrainingJob.completed_at < ended_before)
    return await lock_rows(session, select(TrainingJob).where(is_old, has_state, is_visible()).limit(AT_ONCE))


async def delete_expired_events(session: AsyncSession, job_id: int, *, ended_before: datetime) -> None:
    """Delete the events of a job, unless it was started again meanwhile. Its streams send a snapshot in their place."""
    is_expired = exists().where(TrainingJob.id == job_id, TrainingJob.completed_at < ended_before)
    old = delete(JobEvent).where(JobEvent.job_id == job_id, is_expired)
    await session.execute(old.execution_options(synchronize_session=False))
