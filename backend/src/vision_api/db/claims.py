"""Rows that one worker at a time processes, under a lease by the database's clock: when a worker is killed, another one
claims its row after the lease.
"""

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import IdColumn, database_now


class Claimable:
    """Mixin of ORM models whose rows are claimed."""

    id: Mapped[IdColumn] = mapped_column(sort_order=-1)
    tries: Mapped[int] = mapped_column(default=0)
    """Number of the claim, which distinguishes it from later ones."""
    lease_expires_at: Mapped[datetime | None]
    """End of the present claim, if there is one."""

    @classmethod
    def is_waiting(cls) -> ColumnElement[bool]:
        """Return the condition of rows that are still to be processed."""
        raise NotImplementedError


Row = TypeVar("Row", bound=Claimable)


async def claim_oldest(session: AsyncSession, model: type[Row], *, lease_seconds: float) -> Row | None:
    """Return the oldest waiting row, leased and locked."""
    is_free = or_(model.lease_expires_at.is_(None), model.lease_expires_at < database_now())
    waiting = select(model).where(model.is_waiting(), is_free).order_by(model.id).limit(1)
    row = await session.scalar(waiting.with_for_update(skip_locked=True))
    if row is not None:
        row.tries += 1
        row.lease_expires_at = database_now(lease_seconds)  # pyright: ignore[reportAttributeAccessIssue]
        await session.flush()
    return row


async def lock_claimed(session: AsyncSession, model: type[Row], row_id: int, tries: int) -> Row | None:
    """Return the row, locked, if the claim still holds."""
    return await session.scalar(select(model).where(*_is_held(model, row_id, tries)).with_for_update())


async def renew(
    session: AsyncSession, model: type[Claimable], row_id: int, tries: int, *, lease_seconds: float, **values: Any
) -> None:
    """Extend the lease, and write `values`, if the claim still holds."""
    ours = update(model).where(*_is_held(model, row_id, tries))
    await session.execute(ours.values(lease_expires_at=database_now(lease_seconds), **values))


async def release_all(session: AsyncSession, model: type[Claimable], **values: Any) -> None:
    """Release every lease. Call it where no other backend can run: the leases are those of one that was killed."""
    await session.execute(update(model).where(model.is_waiting()).values(lease_expires_at=None, **values))


def _is_held(model: type[Claimable], row_id: int, tries: int) -> tuple[ColumnElement[bool], ...]:
    return model.id == row_id, model.tries == tries, model.is_waiting()
