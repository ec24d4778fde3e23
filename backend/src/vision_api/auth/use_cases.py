"""Use cases of accounts, sign-ins and stream tickets. Passwords come hashed: see `workflows.py`."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.auth import repository
from vision_api.auth.schemas import UserCreate, UserUpdate
from vision_api.auth.tickets import FIRST_USE_WITHIN, LIFETIME, MOST_TICKETS, ticket_path
from vision_api.auth.tokens import new_token, token_hash
from vision_api.errors import Conflict, Unauthorized
from vision_api.kit.clock import utc_now
from vision_api.models import AuthSession, RefreshToken, StreamTicket, User

log = logging.getLogger(__name__)

GRACE = timedelta(seconds=30)
"""Time for which a replaced refresh token still works, for a second tab; a thief comes later."""
MOST_SESSIONS = 100
"""Number of sign-ins of one user. With more, those used longest ago end: to refuse one would lock the user out."""
MOST_REFRESH_TOKENS = 1000
"""Number of tokens of one sign-in that are kept, to know one that is used again: a month of hourly ones."""


@dataclass(frozen=True)
class Renewal:
    """The outcome of a refresh: a new token, or None if the sign-in was revoked."""

    user: User
    session_id: UUID
    refresh_token: str | None


async def find_user(session: AsyncSession, *, email: str) -> User | None:
    """Return the user with an e-mail, if there is one."""
    return await repository.get_user_by_email(session, email)


async def add_user(session: AsyncSession, *, request: UserCreate, password_hash: str) -> User:
    """Create an account. Raises Conflict if the e-mail has one."""
    user = User(email=request.email, full_name=request.full_name, password_hash=password_hash)
    session.add(user)
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict("There is an account with this e-mail already. Sign in instead.") from error
    return user


async def update_user(
    session: AsyncSession, *, user_id: int, session_id: UUID, request: UserUpdate, password_hash: str | None
) -> User:
    """Change the name or the password of an account. A new password ends every other sign-in of the user."""
    stored = await session.get_one(User, user_id)
    if "full_name" in request.model_fields_set:
        stored.full_name = request.full_name
    if password_hash is not None:
        stored.password_hash = password_hash
        stored.must_change_password = False
        await repository.revoke_sessions(session, user_id=user_id, now=utc_now(), except_session_id=session_id)
        log.info("user %s changed the password; other sign-ins have ended", user_id)
    return stored


async def begin_sign_in(session: AsyncSession, *, user: User, lifetime: timedelta) -> tuple[str, UUID]:
    """Begin a sign-in of a user whose password was right; return its first refresh token and its id."""
    now = utc_now()
    await repository.delete_old_sessions(session, user_id=user.id, now=now, most=MOST_SESSIONS - 1)
    login = AuthSession(user_id=user.id, created_at=now, expires_at=now + lifetime)
    session.add(login)
    await session.flush()
    return _add_refresh_token(session, login, now), login.id


async def renew_sign_in(session: AsyncSession, *, refresh_token: str, lifetime: timedelta) -> Renewal:
    """Replace a refresh token by a new one.

    A token that was replaced longer ago than GRACE is a stolen one, or its owner's after a theft: the whole sign-in is
    revoked. Raises Unauthorized: token_expired, or token_invalid.
    """
    now = utc_now()
    found = await repository.claim_refresh_token(session, token_hash(refresh_token))
    if found is None or found.login.revoked_at is not None or not found.user.is_active:
        raise Unauthorized("This refresh token is not good any more. Sign in again.")
    if found.token.expires_at <= now:
        raise Unauthorized("The refresh token has expired. Sign in again.", code="token_expired")
    if found.token.replaced_at is not None and found.token.replaced_at < now - GRACE:
        found.login.revoked_at = now
        return Renewal(found.user, found.login.id, None)
    found.token.replaced_at = found.token.replaced_at or now
    found.login.expires_at = now + lifetime
    await repository.delete_old_tokens(session, session_id=found.login.id, now=now, most=MOST_REFRESH_TOKENS)
    return Renewal(found.user, found.login.id, _add_refresh_token(session, found.login, now))


async def logout(session: AsyncSession, *, refresh_token: str) -> None:
    """End the sign-in that the token belongs to. An unknown token has nothing to end."""
    found = await repository.claim_refresh_token(session, token_hash(refresh_token))
    if found is not None and found.login.revoked_at is None:
        found.login.revoked_at = utc_now()


def _add_refresh_token(session: AsyncSession, login: AuthSession, now: datetime) -> str:
    """Add a token that expires with its sign-in."""
    refresh_token = new_token()
    session.add(
        RefreshToken(
            token_hash=token_hash(refresh_token), session_id=login.id, created_at=now, expires_at=login.expires_at
        )
    )
    return refresh_token


async def issue_ticket(session: AsyncSession, *, session_id: UUID, path: str) -> tuple[str, datetime]:
    """Create a ticket for `path`; return it with the time at which it expires at the latest. Raises Invalid."""
    ticket, now = new_token(), utc_now()
    expires_at = now + LIFETIME
    unused_before = now - FIRST_USE_WITHIN
    await repository.delete_old_tickets(
        session, session_id=session_id, now=now, unused_before=unused_before, most=MOST_TICKETS - 1
    )
    session.add(
        StreamTicket(
            ticket_hash=token_hash(ticket),
            session_id=session_id,
            path=ticket_path(path),
            created_at=now,
            expires_at=expires_at,
        )
    )
    return ticket, expires_at


async def get_ticket(session: AsyncSession, *, ticket: str, path: str) -> tuple[StreamTicket, User]:
    """Return a ticket that opens `path`, and its user. Raises Unauthorized: token_expired or token_invalid."""
    now = utc_now()
    found = await repository.find_ticket(session, token_hash(ticket))
    if found is None or found[0].path != path:
        raise Unauthorized("This ticket does not open this path. Ask for one at POST /api/v1/auth/stream-ticket.")
    stored, user = found
    used_too_late = stored.first_used_at is None and now > stored.created_at + FIRST_USE_WITHIN
    if used_too_late or now > stored.expires_at:
        raise Unauthorized(
            "This ticket has expired. Ask for another at POST /api/v1/auth/stream-ticket.", code="token_expired"
        )
    return stored, user


async def mark_ticket_used(session: AsyncSession, *, ticket: str) -> None:
    """Write the time of a ticket's first use."""
    (await session.get_one(StreamTicket, token_hash(ticket))).first_used_at = utc_now()
