"""Statements that add rows to be processed, claim them, renew the claims and release them."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from vision_api.background.leases import Claim, Claimable, Turns
from vision_api.db.base import database_now
from vision_api.db.session import announce_after_commit
from vision_api.errors import QuotaExceeded

Row = TypeVar("Row", bound=Claimable)

MOST_WAITING = 1000
"""Number of a user's rows of one kind that wait. Requests that come at once may make it a few more."""


async def add_waiting(session: AsyncSession, row: Claimable) -> None:
    """Add a row that a worker shall process. The commit wakes the workers, on PostgreSQL those of other backends too;
    a rollback wakes nothing. Raises QuotaExceeded if too many of its user's rows wait.
    """
    model = type(row)
    ours = select(func.count()).where(model.created_by_id == row.created_by_id, model.is_waiting())
    used = await session.scalar(ours) or 0
    if used >= MOST_WAITING:
        message = f"{used} of your requests of this kind wait already. Try again once some are done."
        raise QuotaExceeded(message, limit=MOST_WAITING, used=used)
    session.add(row)
    await session.flush()
    channel = row.__tablename__
    announce_after_commit(session, channel, row.id)
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_notify(channel, str(row.id))))


async def claim_next(
    session: AsyncSession, model: type[Row], *, lease_seconds: float, turns: Turns | None = None
) -> Row | None:
    """Return the oldest waiting row of the user whose turn it is, leased and locked."""
    turns = turns or Turns()
    claimable = [model.is_waiting(), model.is_free()] + ([turns.only] if turns.only is not None else [])
    for user_id in await _users_in_turn(session, model, claimable, turns):
        waiting = select(model).where(*claimable, model.created_by_id == user_id).order_by(model.id).limit(1)
        row = await session.scalar(waiting.with_for_update(skip_locked=True))
        if row is not None:
            row.tries += 1
            row.claimed_at = database_now()
            row.lease(lease_seconds)
            await session.flush()
            return row
    return None


async def _users_in_turn(
    session: AsyncSession, model: type[Claimable], claimable: Sequence[ColumnElement[bool]], turns: Turns
) -> list[int]:
    """Return the users who have rows that may be claimed, in the order of their turns."""
    any_row = aliased(model)
    last_claim = select(func.max(any_row.claimed_at)).where(any_row.created_by_id == model.created_by_id)
    users = select(model.created_by_id, last_claim.scalar_subquery(), func.min(model.id)).where(*claimable)
    rows = (await session.execute(users.group_by(model.created_by_id))).all()
    return [row[0] for row in sorted(rows, key=lambda row: turns.order(*row)) if turns.may_have_more(row[0])]


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
