"""Statements about counts of throttles, and about networks of sign-ins."""

from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Table, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.db.bulk import write_rows
from vision_api.models import SignInNetwork, ThrottleCount, User

_NETWORKS = cast("Table", SignInNetwork.__table__)

DELETED_AT_ONCE = 10
"""More than one attempt adds: expired rows never pile up."""


async def count_up(session: AsyncSession, *, key: str, now: datetime, window: timedelta) -> tuple[int, datetime]:
    """Count an attempt, in one statement; return the number of them and the end of their window.

    The row is locked until the transaction ends. A transaction that counts several locks them in the order of kinds.
    """
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new = dialect.insert(ThrottleCount).values(key=key, count=1, expires_at=now + window)
    is_over = ThrottleCount.expires_at <= now
    counted = new.on_conflict_do_update(
        index_elements=[ThrottleCount.key],
        set_={
            "count": case((is_over, 1), else_=ThrottleCount.count + 1),
            "expires_at": case((is_over, new.excluded.expires_at), else_=ThrottleCount.expires_at),
        },
    ).returning(ThrottleCount.count, ThrottleCount.expires_at)
    count, expires_at = (await session.execute(counted)).one()
    return count, expires_at


async def take_back(session: AsyncSession, *, key: str, attempts: int = 1) -> None:
    """Subtract attempts from a count that has as many."""
    ours = update(ThrottleCount).where(ThrottleCount.key == key, ThrottleCount.count >= attempts)
    await session.execute(ours.values(count=ThrottleCount.count - attempts))


async def take_all_back(session: AsyncSession, *, key: str) -> int:
    """Delete a count; return the number of its attempts."""
    deleted = delete(ThrottleCount).where(ThrottleCount.key == key).returning(ThrottleCount.count)
    return (await session.scalars(deleted)).one_or_none() or 0


async def delete_expired_counts(session: AsyncSession, *, now: datetime) -> None:
    """Delete some rows whose window is over: the last statement of a transaction, since it locks rows in any order."""
    expired = (
        select(ThrottleCount.key)
        .where(ThrottleCount.expires_at <= now)
        .limit(DELETED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    await session.execute(delete(ThrottleCount).where(ThrottleCount.key.in_(expired)))


async def is_known_network(session: AsyncSession, *, email: str, network: str, since: datetime) -> bool:
    """Return whether the account of an e-mail has signed in from a network since a time."""
    known = (
        select(SignInNetwork.user_id)
        .join(User, User.id == SignInNetwork.user_id)
        .where(User.email == email, SignInNetwork.network == network, SignInNetwork.signed_in_at >= since)
    )
    return await session.scalar(known) is not None


async def remember_network(
    session: AsyncSession, *, user_id: int, network: str, now: datetime, forget_before: datetime, most: int
) -> None:
    """Write that a user signed in from a network, and forget the oldest ones."""
    row = {"user_id": user_id, "network": network, "signed_in_at": now}
    await write_rows(session, _NETWORKS, [row], replacing=["signed_in_at"])
    ours = SignInNetwork.user_id == user_id
    newest = select(SignInNetwork.network).where(ours).order_by(SignInNetwork.signed_in_at.desc()).limit(most)
    is_old = (SignInNetwork.signed_in_at < forget_before) | SignInNetwork.network.not_in(newest)
    await session.execute(delete(SignInNetwork).where(ours, is_old))
