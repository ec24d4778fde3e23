"""Statements that find, lock and lease jobs. Rows that they lock are skipped by the loops of other backends."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.db.base import database_now
from vision_api.models import JobStatus, TrainingJob
from vision_api.training_jobs.leases import LEASE_SECONDS
from vision_api.training_jobs.repository import QUEUE_ORDER, is_visible
from vision_api.training_jobs.status import ACTIVE

CANDIDATES = 100
AT_ONCE = 200

_PLANNING = 0x7261696E
"""Key of the lock below among all advisory locks of the database."""


async def lock_planning(session: AsyncSession) -> None:
    """Keep other backends from planning until this transaction ends, so that no slot is given away twice."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(_PLANNING)))


def is_sent() -> ColumnElement[bool]:
    """Return the condition that a job is committed to an instance whose answer is not known yet."""
    return (TrainingJob.status == JobStatus.QUEUED) & TrainingJob.instance_id.is_not(None)


def occupies_slot() -> ColumnElement[bool]:
    """Return the condition that an instance has the job, or may have it."""
    return TrainingJob.instance_id.is_not(None)


async def lock_queued(session: AsyncSession) -> Sequence[TrainingJob]:
    """Lock the first jobs of every framework's queue that no backend has leased, in order. The first job of every
    user comes before the second of any, so that a user with many queued jobs does not crowd out others.
    """
    queued = (
        TrainingJob.status == JobStatus.QUEUED,
        TrainingJob.instance_id.is_(None),
        is_visible(),
        TrainingJob.is_free(),
    )
    frameworks = (await session.scalars(select(TrainingJob.framework).where(*queued).distinct())).all()
    found: list[TrainingJob] = []
    for framework in frameworks:
        waiting = (*queued, TrainingJob.framework == framework)
        turn = func.row_number().over(partition_by=TrainingJob.created_by_id, order_by=QUEUE_ORDER)
        first = select(TrainingJob.id).where(*waiting).order_by(turn, *QUEUE_ORDER).limit(CANDIDATES)
        query = select(TrainingJob).where(*waiting, TrainingJob.id.in_(first))
        found += await lock_rows(session, query.order_by(*QUEUE_ORDER))
    return found


async def lock_unanswered(session: AsyncSession) -> Sequence[TrainingJob]:
    """Lock jobs that were sent to an instance whose answer no backend waits for any more."""
    return await lock_rows(
        session, select(TrainingJob).where(is_sent(), is_visible(), TrainingJob.is_free()).limit(AT_ONCE)
    )


async def is_dispatched_before(session: AsyncSession, job: TrainingJob, *, seconds_ago: float) -> bool:
    """Return whether the job was first sent to its instance longer ago than that, by the database's clock."""
    oldest = await session.scalar(database_now(-seconds_ago).select())
    return job.dispatched_at is None or (oldest is not None and job.dispatched_at < oldest)


async def lock_uncollected(session: AsyncSession, owner: UUID, collected: Collection[int]) -> Sequence[TrainingJob]:
    """Lock active jobs whose events no backend collects; also `owner`'s own that are not among `collected`."""
    is_open = TrainingJob.is_free() | ((TrainingJob.lease_owner == owner) & TrainingJob.id.not_in(collected))
    query = select(TrainingJob).where(TrainingJob.status.in_(ACTIVE), is_visible(), is_open)
    return await lock_rows(session, query.limit(AT_ONCE))


async def lock_rows(session: AsyncSession, query: Select[TrainingJob]) -> Sequence[TrainingJob]:
    """Lock the rows of a query, without those that another transaction has locked."""
    locked = query.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    return (await session.scalars(locked)).all()


async def lock_leased(session: AsyncSession, *, job_id: int, owner: UUID, attempt: int) -> TrainingJob | None:
    """Lock the row if it is still leased by `owner` and at this attempt: results of the attempt still apply to it."""
    leased = select(TrainingJob).where(
        TrainingJob.id == job_id,
        TrainingJob.lease_owner == owner,
        TrainingJob.attempt == attempt,
    )
    return await session.scalar(leased.with_for_update().execution_options(populate_existing=True))


async def renew_leases(session: AsyncSession, owner: UUID, job_ids: Collection[int]) -> None:
    """Renew the leases that `owner` has of these jobs."""
    leased = update(TrainingJob).where(TrainingJob.id.in_(job_ids), TrainingJob.lease_owner == owner)
    kept = leased.values(lease_expires_at=database_now(LEASE_SECONDS), updated_at=TrainingJob.updated_at)
    await session.execute(kept.execution_options(synchronize_session=False))


async def release_leases(session: AsyncSession, owner: UUID | None) -> None:
    """Release every lease of one owner; with None those of all owners, for a start at which no other backend runs."""
    leased = update(TrainingJob).where(TrainingJob.lease_owner.is_not(None))
    if owner is not None:
        leased = leased.where(TrainingJob.lease_owner == owner)
    freed = leased.values(lease_owner=None, lease_expires_at=None, updated_at=TrainingJob.updated_at)
    await session.execute(freed.execution_options(synchronize_session=False))


async def count_held_slots(session: AsyncSession) -> Mapping[UUID, int]:
    """Count the slots of each instance that the database has given away."""
    slots = func.sum(TrainingJob.slots)
    counted = select(TrainingJob.instance_id, slots).where(occupies_slot()).group_by(TrainingJob.instance_id)
    return {instance_id: count for instance_id, count in await session.execute(counted) if instance_id is not None}


async def count_running_by_user(session: AsyncSession) -> Mapping[int, int]:
    """Count the jobs of each user that occupy slots."""
    counted = (
        select(TrainingJob.created_by_id, func.count())
        .where(occupies_slot(), is_visible())
        .group_by(TrainingJob.created_by_id)
    )
    return {row[0]: row[1] for row in await session.execute(counted)}


async def list_by_uid(session: AsyncSession, uids: Collection[UUID]) -> Mapping[UUID, TrainingJob]:
    """Return the jobs that are known, deleted ones too."""
    found = await session.scalars(select(TrainingJob).where(TrainingJob.job_uid.in_(uids)))
    return {job.job_uid: job for job in found}


async def list_stop_requested(session: AsyncSession) -> Sequence[TrainingJob]:
    """Return the jobs that a user has asked to stop or to pause."""
    requested = (JobStatus.STOPPING, JobStatus.PAUSING)
    return (await session.scalars(select(TrainingJob).where(TrainingJob.status.in_(requested), is_visible()))).all()


async def list_active(session: AsyncSession) -> Sequence[TrainingJob]:
    """Return every job that an instance has accepted and not ended."""
    return (await session.scalars(select(TrainingJob).where(TrainingJob.status.in_(ACTIVE), is_visible()))).all()


async def lock_idle(session: AsyncSession, job_id: int) -> TrainingJob | None:
    """Lock a job that no instance should have and no backend has leased."""
    idle = select(TrainingJob).where(TrainingJob.id == job_id, ~occupies_slot(), TrainingJob.is_free())
    return next(iter(await lock_rows(session, idle)), None)


async def lock_deleted_at_instances(session: AsyncSession) -> Sequence[TrainingJob]:
    """Lock deleted jobs that an instance may still have."""
    return await lock_rows(session, select(TrainingJob).where(~is_visible(), occupies_slot()).limit(AT_ONCE))
