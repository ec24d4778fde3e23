"""Dependencies that turn a token or a ticket into the user of the request."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.security import OAuth2PasswordBearer

from vision_api.auth import repository, workflows
from vision_api.auth.tokens import AccessTokens
from vision_api.db.session import Database
from vision_api.dependencies import AccessTokensDep, DatabaseDep
from vision_api.errors import Forbidden, Unauthorized
from vision_api.kit.logging import user_id_var
from vision_api.models import User

_PRINCIPAL = "vision_api.principal"
bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/login", auto_error=False)


@dataclass(frozen=True)
class Principal:
    """A user together with the sign-in that the request belongs to."""

    user: User
    session_id: UUID


BearerToken = Annotated[str | None, Depends(bearer)]


async def get_principal(
    request: Request, database: DatabaseDep, tokens: AccessTokensDep, encoded: BearerToken
) -> Principal:
    """Return the user and sign-in of the bearer token, with one short statement in each request.

    The session is closed before the endpoint opens its own: no request ever holds two connections.
    """
    known: Principal | None = request.scope.get(_PRINCIPAL)
    if known is None:
        known = request.scope[_PRINCIPAL] = await _read_principal(database, tokens, encoded)
    return known


async def _read_principal(database: Database, tokens: AccessTokens, encoded: str | None) -> Principal:
    if encoded is None:
        raise Unauthorized("Sign in first: send an Authorization header with a bearer token.")
    token = tokens.read(encoded)
    return await _live_principal(database, token.user_id, token.session_id)


async def _live_principal(database: Database, user_id: int, session_id: UUID) -> Principal:
    async with database.snapshot() as session:
        user = await repository.get_signed_in_user(session, user_id=user_id, session_id=session_id)
    if user is None:
        raise Unauthorized("This sign-in has ended. Sign in again.")
    user_id_var.set(user.id)
    return Principal(user, session_id)


CurrentPrincipal = Annotated[Principal, Depends(get_principal)]
"""The signed-in user, even one who must change the password first."""


def require_changed_password(user: User) -> User:
    """Return the user. Raises Forbidden `password_change_required` for a generated password."""
    if user.must_change_password:
        raise Forbidden(
            "Change the generated password first: PATCH /api/v1/auth/me with current_password and new_password.",
            code="password_change_required",
        )
    return user


async def get_current_user(principal: CurrentPrincipal) -> User:
    """Return the signed-in user. Raises Forbidden `password_change_required`."""
    return require_changed_password(principal.user)


CurrentUser = Annotated[User, Depends(get_current_user)]
"""The signed-in user of an ordinary route."""


@dataclass(frozen=True)
class StreamAccess:
    """The permission to read a stream, which may end while the stream is open."""

    database: Database
    user: User
    session_id: UUID

    async def recheck(self) -> User:
        """Return the user as of now: call it every 30 s, and check the membership again too.

        Raises Unauthorized after a logout or a deactivation.
        """
        return (await _live_principal(self.database, self.user.id, self.session_id)).user


async def _stream_access(
    request: Request,
    database: DatabaseDep,
    tokens: AccessTokensDep,
    encoded: BearerToken,
    ticket: Annotated[str | None, Query(max_length=100, description="From `POST /auth/stream-ticket`.")] = None,
) -> StreamAccess:
    if encoded is None and ticket is not None:
        user, session_id = await workflows.redeem_ticket(database, ticket=ticket, path=request.scope["path"])
    else:
        principal = await get_principal(request, database, tokens, encoded)
        user, session_id = principal.user, principal.session_id
    return StreamAccess(database, require_changed_password(user), session_id)


CurrentStream = Annotated[StreamAccess, Depends(_stream_access)]
"""Access of a route that stays open: it calls `recheck()` every 30 s."""


async def _stream_user(access: CurrentStream) -> User:
    return access.user


StreamUser = Annotated[User, Depends(_stream_user)]
"""The user of a route that also takes `?ticket=`, for short downloads: artifacts and previews."""
