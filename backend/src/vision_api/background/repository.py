"""Statements that add rows to be processed, claim them, renew the claims and release them."""

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.background.leases import Claim, Claimable
from vision_api.db.base import database_now
from vision_api.db.session import announce_after_commit

Row = TypeVar("Row", bound=Claimable)


async def add_waiting(session: AsyncSession, row: Claimable) -> None:
    """Add a row that a worker shall process. The commit wakes the workers, on PostgreSQL those of other backends too;
    a rollback wakes nothing.
    """
    session.add(row)
    await session.flush()
    channel = row.__tablename__
    announce_after_commit(session, channel, row.id)
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_notify(channel, str(row.id))))


async def claim_oldest(session: AsyncSession, model: type[Row], *, lease_seconds: float) -> Row | None:
    """Return the oldest waiting row, leased and locked."""
    waiting = select(model).where(model.is_waiting(), model.is_free()).order_by(model.id).limit(1)
    row = await session.scalar(waiting.with_for_update(skip_locked=True))
    if row is not None:
        row.tries += 1
        row.lease(lease_seconds)
        await session.flush()
    return row


async def lock_claimed(session: AsyncSession, model: type[Row], claim: Claim) -> Row | None:
    """Return the row, locked, if the claim still holds."""
    return await session.scalar(select(model).where(*_is_held(model, claim)).with_for_update())


async def renew(
    session: AsyncSession, model: type[Claimable], claim: Claim, *, lease_seconds: float, **values: Any
) -> None:
    """Extend the lease, and write `values`, if the claim still holds."""
    updated_at: Any = getattr(model, "updated_at", None)
    if updated_at is not None:
        values["updated_at"] = updated_at  # a renewal is no change
    ours = update(model).where(*_is_held(model, claim))
    await session.execute(ours.values(lease_expires_at=database_now(lease_seconds), **values))


async def release_all(session: AsyncSession, model: type[Claimable]) -> None:
    """Release every lease. Call it where no other backend can run: the leases are those of one that was killed."""
    leased = select(model).where(model.is_waiting(), model.lease_expires_at.is_not(None))
    for row in await session.scalars(leased):
        row.release()


def _is_held(model: type[Claimable], claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return model.id == claim.row_id, model.tries == claim.tries, model.is_waiting()
