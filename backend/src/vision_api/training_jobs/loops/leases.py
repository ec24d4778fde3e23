"""Leases: who works on which job. Time is the database's, so that the clocks of two backends may differ."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.db.base import database_now
from vision_api.models import TrainingJob

LEASE_SECONDS = 10.0
RENEW_SECONDS = 3.0


def is_free() -> ColumnElement[bool]:
    """Nobody works on the job."""
    return or_(TrainingJob.lease_owner.is_(None), TrainingJob.lease_expires_at < database_now())


def take(job: TrainingJob, owner: UUID) -> None:
    """Lease a row that is locked and free."""
    job.lease_owner = owner
    job.lease_expires_at = database_now(LEASE_SECONDS)


def release(job: TrainingJob) -> None:
    """Give a leased and locked row back."""
    job.lease_owner = None
    job.lease_expires_at = None


async def lock_leased(session: AsyncSession, *, job_id: int, owner: UUID, attempt: int) -> TrainingJob | None:
    """The row, locked, if it is still `owner`'s and still at this attempt: whatever was found out about it holds."""
    mine = select(TrainingJob).where(
        TrainingJob.id == job_id,
        TrainingJob.lease_owner == owner,
        TrainingJob.attempt == attempt,
    )
    return await session.scalar(mine.with_for_update().execution_options(populate_existing=True))


async def renew(session: AsyncSession, owner: UUID, job_ids: Collection[int]) -> None:
    """Keep the leases of these jobs."""
    mine = update(TrainingJob).where(TrainingJob.id.in_(job_ids), TrainingJob.lease_owner == owner)
    kept = mine.values(lease_expires_at=database_now(LEASE_SECONDS), updated_at=TrainingJob.updated_at)
    await session.execute(kept.execution_options(synchronize_session=False))


async def release_all(session: AsyncSession, owner: UUID | None) -> None:
    """Give every lease back: of one owner, or with None of everybody, where nobody else can be at work."""
    leased = update(TrainingJob).where(TrainingJob.lease_owner.is_not(None))
    if owner is not None:
        leased = leased.where(TrainingJob.lease_owner == owner)
    freed = leased.values(lease_owner=None, lease_expires_at=None, updated_at=TrainingJob.updated_at)
    await session.execute(freed.execution_options(synchronize_session=False))
