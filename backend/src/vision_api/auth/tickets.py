"""Stream tickets: each opens one path, for clients that cannot send an Authorization header.

The first use must come within a minute; from then on the ticket opens its path for twelve hours, because an
`EventSource` reconnects with the address that it has. A leaked address opens nothing else.
"""

from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.auth import repository
from vision_api.auth.tokens import new_token, token_hash
from vision_api.db.session import Database
from vision_api.errors import Invalid, Unauthorized
from vision_api.kit.clock import utc_now
from vision_api.kit.schemas import is_storable
from vision_api.models import StreamTicket, User

PREFIX = "/api/v1"
FIRST_USE_WITHIN = timedelta(seconds=60)
LIFETIME = timedelta(hours=12)


def ticket_path(given: str) -> str:
    """Return the path of a request for `given`: decoded, without a query.

    Raises Invalid for what is not below our prefix; the prefix itself may be left out.
    """
    path = unquote(urlsplit(given).path)
    if not path.startswith("/") or not is_storable(path):
        raise Invalid("A path begins with /, such as /api/v1/training/jobs/7/events.", field="path")
    return path if path.startswith(f"{PREFIX}/") else f"{PREFIX}{path}"


async def issue(session: AsyncSession, *, session_id: UUID, path: str) -> tuple[str, datetime]:
    """Create a ticket for `path`; return it with the time at which it expires at the latest."""
    ticket, now = new_token(), utc_now()
    expires_at = now + LIFETIME
    await repository.delete_expired_tickets(session, session_id=session_id, now=now)
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


async def redeem(database: Database, *, ticket: str, path: str) -> tuple[User, UUID]:
    """Return the user and the sign-in whose ticket this is. Raises Unauthorized: token_expired or token_invalid."""
    hashed, now = token_hash(ticket), utc_now()
    async with database.snapshot() as session:
        found = await repository.claim_ticket(session, hashed)
    if found is None or found[0].path != path:
        raise Unauthorized("This ticket does not open this path. Ask for one at POST /api/v1/auth/stream-ticket.")
    stored, user = found
    used_too_late = stored.first_used_at is None and now > stored.created_at + FIRST_USE_WITHIN
    if used_too_late or now > stored.expires_at:
        raise Unauthorized(
            "This ticket has expired. Ask for another at POST /api/v1/auth/stream-ticket.", code="token_expired"
        )
    if stored.first_used_at is None:
        async with database.transaction() as session:
            (await session.get_one(StreamTicket, hashed)).first_used_at = now
    return user, stored.session_id
