"""Statements about accounts, sign-ins and their tokens."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import AuthSession, RefreshToken, StreamTicket, User


@dataclass(frozen=True)
class FoundToken:
    """A refresh token with its sign-in and its user."""

    token: RefreshToken
    login: AuthSession
    user: User


async def get_user_by_email(session: AsyncSession, email: str) -> User | None:
    """Return the user with an e-mail, given in lower case as it is stored."""
    return await session.scalar(select(User).where(User.email == email))


async def count_users(session: AsyncSession) -> int:
    """Return the number of accounts."""
    return await session.scalar(select(func.count()).select_from(User)) or 0


async def get_signed_in_user(session: AsyncSession, *, user_id: int, session_id: UUID) -> User | None:
    """Return the user, if active and if the sign-in has not been revoked."""
    return await session.scalar(
        select(User)
        .join(AuthSession, AuthSession.user_id == User.id)
        .where(User.id == user_id, User.is_active, AuthSession.id == session_id, AuthSession.revoked_at.is_(None))
    )


async def claim_refresh_token(session: AsyncSession, hashed: str) -> FoundToken | None:
    """Return a refresh token, locked until the transaction ends, with its sign-in and its user."""
    row = await session.execute(
        select(RefreshToken, AuthSession, User)
        .join(AuthSession, AuthSession.id == RefreshToken.session_id)
        .join(User, User.id == AuthSession.user_id)
        .where(RefreshToken.token_hash == hashed)
        .with_for_update(of=[RefreshToken, AuthSession])
    )
    found = row.one_or_none()
    return None if found is None else FoundToken(found[0], found[1], found[2])


async def delete_old_tokens(session: AsyncSession, *, session_id: UUID, now: datetime, most: int) -> None:
    """Delete the expired refresh tokens of one sign-in, and all but its newest `most`."""
    ours = RefreshToken.session_id == session_id
    newest = select(RefreshToken.token_hash).where(ours).order_by(RefreshToken.created_at.desc()).limit(most)
    is_old = (RefreshToken.expires_at <= now) | RefreshToken.token_hash.not_in(newest)
    await session.execute(delete(RefreshToken).where(ours, is_old))


async def delete_old_sessions(session: AsyncSession, *, user_id: int, now: datetime, most: int) -> None:
    """Delete the expired sign-ins of a user, with their tokens and tickets, and all but the `most` used last."""
    ours = AuthSession.user_id == user_id
    order = AuthSession.revoked_at.is_(None).desc(), AuthSession.expires_at.desc()
    newest = select(AuthSession.id).where(ours).order_by(*order).limit(most)
    is_old = (AuthSession.expires_at <= now) | AuthSession.id.not_in(newest)
    await session.execute(delete(AuthSession).where(ours, is_old))


async def delete_old_tickets(
    session: AsyncSession, *, session_id: UUID, now: datetime, unused_before: datetime, most: int
) -> None:
    """Delete the tickets of one sign-in that have expired or were never used in time, and all but the newest `most`."""
    ours = StreamTicket.session_id == session_id
    newest = select(StreamTicket.ticket_hash).where(ours).order_by(StreamTicket.created_at.desc()).limit(most)
    is_unused = StreamTicket.first_used_at.is_(None) & (StreamTicket.created_at < unused_before)
    is_old = (StreamTicket.expires_at <= now) | is_unused | StreamTicket.ticket_hash.not_in(newest)
    await session.execute(delete(StreamTicket).where(ours, is_old))


async def revoke_sessions(
    session: AsyncSession, *, user_id: int, now: datetime, except_session_id: UUID | None = None
) -> None:
    """Revoke every sign-in of a user, except one."""
    statement = update(AuthSession).where(AuthSession.user_id == user_id, AuthSession.revoked_at.is_(None))
    if except_session_id is not None:
        statement = statement.where(AuthSession.id != except_session_id)
    await session.execute(statement.values(revoked_at=now))


async def find_ticket(session: AsyncSession, hashed: str) -> tuple[StreamTicket, User] | None:
    """Return a ticket and its user, if the sign-in is not revoked and the user active."""
    row = await session.execute(
        select(StreamTicket, User)
        .join(AuthSession, AuthSession.id == StreamTicket.session_id)
        .join(User, User.id == AuthSession.user_id)
        .where(StreamTicket.ticket_hash == hashed, AuthSession.revoked_at.is_(None), User.is_active)
    )
    found = row.one_or_none()
    return None if found is None else (found[0], found[1])
