"""The loops' statements. Rows that they lock are skipped by the loops of other backends."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.models import GarbageObject, JobEvent, JobStatus, LogLine, MetricPoint, TrainingJob
from vision_api.training_jobs.loops import leases
from vision_api.training_jobs.repository import QUEUE_ORDER, is_visible
from vision_api.training_jobs.status import ACTIVE, ENDED
from vision_contracts import JobKind

CANDIDATES = 100
AT_ONCE = 200


_PLANNING = 0x7261696E
"""Names the lock below among all advisory locks of the database."""


async def plan_alone(session: AsyncSession) -> None:
    """Until this transaction ends no other backend plans: slots and limits are not given away twice."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(_PLANNING)))


def is_sent() -> ColumnElement[bool]:
    """Committed to an instance whose answer is not known yet."""
    return (TrainingJob.status == JobStatus.QUEUED) & TrainingJob.instance_id.is_not(None)


def occupies_slot() -> ColumnElement[bool]:
    """An instance has it, or may have it."""
    return TrainingJob.instance_id.is_not(None)


async def lock_queued(session: AsyncSession) -> Sequence[TrainingJob]:
    """The first jobs of every framework's queue that nobody works on, in order: everybody's first before anybody's
    second, so that who has queued many keeps nobody from being looked at.
    """
    queued = (TrainingJob.status == JobStatus.QUEUED, TrainingJob.instance_id.is_(None), is_visible(), leases.is_free())
    frameworks = (await session.scalars(select(TrainingJob.framework).where(*queued).distinct())).all()
    found: list[TrainingJob] = []
    for framework in frameworks:
        waiting = (*queued, TrainingJob.framework == framework)
        turn = func.row_number().over(partition_by=TrainingJob.created_by_id, order_by=QUEUE_ORDER)
        first = select(TrainingJob.id).where(*waiting).order_by(turn, *QUEUE_ORDER).limit(CANDIDATES)
        wanted = select(TrainingJob).where(*waiting, TrainingJob.id.in_(first))
        found += await _lock(session, wanted.order_by(*QUEUE_ORDER))
    return found


async def lock_unanswered(session: AsyncSession) -> Sequence[TrainingJob]:
    """Jobs that were sent to an instance and that nobody is waiting for any more."""
    return await _lock(session, select(TrainingJob).where(is_sent(), is_visible(), leases.is_free()).limit(AT_ONCE))


async def lock_unfollowed(session: AsyncSession, owner: UUID, followed: Collection[int]) -> Sequence[TrainingJob]:
    """Active jobs whose events nobody collects; also `owner`'s own, if it has stopped following them."""
    is_open = leases.is_free() | ((TrainingJob.lease_owner == owner) & TrainingJob.id.not_in(followed))
    wanted = select(TrainingJob).where(TrainingJob.status.in_(ACTIVE), is_visible(), is_open)
    return await _lock(session, wanted.limit(AT_ONCE))


async def _lock(session: AsyncSession, wanted: Select[TrainingJob]) -> Sequence[TrainingJob]:
    locked = wanted.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    return (await session.scalars(locked)).all()


async def count_held(session: AsyncSession) -> Mapping[UUID, int]:
    """How many slots of each instance the database has given away."""
    slots = func.sum(TrainingJob.num_devices)
    counted = select(TrainingJob.instance_id, slots).where(occupies_slot()).group_by(TrainingJob.instance_id)
    return {instance_id: count for instance_id, count in await session.execute(counted) if instance_id is not None}


async def count_running_of_users(session: AsyncSession) -> Mapping[int, int]:
    """How many jobs of each user have slots."""
    counted = (
        select(TrainingJob.created_by_id, func.count())
        .where(occupies_slot(), is_visible())
        .group_by(TrainingJob.created_by_id)
    )
    return {row[0]: row[1] for row in await session.execute(counted)}


async def list_by_uid(session: AsyncSession, uids: Collection[UUID]) -> Mapping[UUID, TrainingJob]:
    """The jobs that are known, deleted ones too."""
    found = await session.scalars(select(TrainingJob).where(TrainingJob.job_uid.in_(uids)))
    return {job.job_uid: job for job in found}


async def list_halting(session: AsyncSession) -> Sequence[TrainingJob]:
    """Jobs that a user wants to stop or to pause."""
    halting = (JobStatus.STOPPING, JobStatus.PAUSING)
    return (await session.scalars(select(TrainingJob).where(TrainingJob.status.in_(halting), is_visible()))).all()


async def list_active(session: AsyncSession) -> Sequence[TrainingJob]:
    """Every job that an instance has."""
    return (await session.scalars(select(TrainingJob).where(TrainingJob.status.in_(ACTIVE), is_visible()))).all()


async def lock_idle(session: AsyncSession, job_id: int) -> TrainingJob | None:
    """A job that no instance should have and that nobody works on."""
    idle = select(TrainingJob).where(TrainingJob.id == job_id, ~occupies_slot(), leases.is_free())
    return next(iter(await _lock(session, idle)), None)


async def lock_invisible_at_instances(session: AsyncSession) -> Sequence[TrainingJob]:
    """Deleted jobs that an instance may still have."""
    return await _lock(session, select(TrainingJob).where(~is_visible(), occupies_slot()).limit(AT_ONCE))


async def delete_fleeting(session: AsyncSession, *, ended_before: datetime) -> None:
    """Predictions and pre-flights whose answer was there for long enough: it is read once. The sweep frees the rest."""
    is_over = TrainingJob.status.in_(ENDED) & (TrainingJob.completed_at < ended_before)
    is_fleeting = TrainingJob.kind.in_((JobKind.PREDICT, JobKind.PREFLIGHT)) & TrainingJob.deleted_at.is_(None)
    old = update(TrainingJob).where(is_fleeting, is_over).values(deleted_at=utc_now())
    await session.execute(old.execution_options(synchronize_session=False))


async def lock_removable(session: AsyncSession, *, before: datetime) -> Sequence[TrainingJob]:
    """Deleted jobs that no instance has."""
    is_old = TrainingJob.project_id.is_(None) | (TrainingJob.deleted_at < before)
    removable = select(TrainingJob).where(~is_visible(), is_old, ~occupies_slot(), leases.is_free())
    return await _lock(session, removable.limit(AT_ONCE))


async def list_point_names(session: AsyncSession, job_id: int) -> Sequence[str]:
    """The names of a job's curves."""
    return (await session.scalars(select(MetricPoint.name).where(MetricPoint.job_id == job_id).distinct())).all()


async def remove_points(session: AsyncSession, job_id: int, name: str) -> None:
    """Remove one curve."""
    removed = delete(MetricPoint).where(MetricPoint.job_id == job_id, MetricPoint.name == name)
    await session.execute(removed.execution_options(synchronize_session=False))


async def remove_history(session: AsyncSession, job_id: int, table: type[JobEvent] | type[LogLine]) -> None:
    """Remove what a job has told."""
    removed = delete(table).where(table.job_id == job_id)
    await session.execute(removed.execution_options(synchronize_session=False))


async def remove_job(session: AsyncSession, job: TrainingJob, *, owner: UUID, look_again_at: datetime) -> None:
    """Remove a leased row and what still hangs on it. Its folder in storage is deleted once more later: a trainer that
    nobody could reach may have stored something after its job was gone.
    """
    removed = delete(TrainingJob).where(TrainingJob.id == job.id, TrainingJob.lease_owner == owner)
    result = await session.execute(removed.execution_options(synchronize_session=False))
    if cast("CursorResult[Any]", result).rowcount:
        await session.merge(GarbageObject(uri=f"{job.output_uri}/", due_at=look_again_at))


async def list_garbage(session: AsyncSession, *, due_before: datetime) -> Sequence[str]:
    """URIs of objects to delete now; one that ends with a slash is a folder."""
    due = select(GarbageObject.uri).where(GarbageObject.due_at < due_before).order_by(GarbageObject.due_at)
    return (await session.scalars(due.limit(AT_ONCE))).all()


async def forget_garbage(session: AsyncSession, uris: Collection[str]) -> None:
    """They are deleted."""
    gone = delete(GarbageObject).where(GarbageObject.uri.in_(uris))
    await session.execute(gone.execution_options(synchronize_session=False))
