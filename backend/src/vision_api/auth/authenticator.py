"""Signing in, staying signed in, and signing out.

bcrypt takes its time, so a password is compared outside of every database session.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.auth import passwords, repository
from vision_api.auth.schemas import Credentials, TokensRead, UserRead
from vision_api.auth.throttle import LoginThrottle
from vision_api.auth.tokens import AccessToken, AccessTokens, new_token, token_hash
from vision_api.db.session import Database
from vision_api.errors import Unauthorized
from vision_api.kit.clock import utc_now
from vision_api.models import AuthSession, RefreshToken, User

log = logging.getLogger(__name__)

GRACE = timedelta(seconds=30)
"""Time for which a replaced refresh token still works, for a second tab; a thief comes later."""


@dataclass(frozen=True)
class Authenticator:
    """Signs users in and out, and refreshes their tokens."""

    database: Database
    access_tokens: AccessTokens
    throttle: LoginThrottle
    refresh_lifetime: timedelta

    async def login(self, credentials: Credentials, *, address: str) -> TokensRead:
        """Return tokens for a user whose password is right.

        Raises Unauthorized(invalid_credentials), after the same time for an unknown e-mail as for a wrong password;
        RateLimited.
        """
        self.throttle.attempt(email=credentials.email, address=address)
        async with self.database.snapshot() as session:
            user = await repository.get_user_by_email(session, credentials.email)
        is_right = await passwords.verify_password(credentials.password, user.password_hash if user else None)
        if user is None or not is_right or not user.is_active:
            log.info("login refused: wrong e-mail or password")
            raise Unauthorized("The e-mail or the password is not right.", code="invalid_credentials")
        self.throttle.succeeded(email=credentials.email, address=address)
        now = utc_now()
        async with self.database.transaction() as session:
            await repository.delete_ended_sessions(session, user_id=user.id, now=now)
            login = AuthSession(user_id=user.id, created_at=now, expires_at=now + self.refresh_lifetime)
            session.add(login)
            await session.flush()
            refresh_token = self._add_refresh_token(session, login, now)
        log.info("user %s signed in", user.id)
        return self._tokens(user, login.id, refresh_token)

    async def refresh(self, refresh_token: str) -> TokensRead:
        """Return new tokens for a refresh token, which is replaced by the new one.

        Raises Unauthorized: token_expired, or token_invalid. A token that was replaced longer ago than GRACE is a
        stolen one, or its owner's after a theft: the whole family ends, and the revocation is committed before the
        request is refused.
        """
        now = utc_now()
        async with self.database.transaction() as session:
            found = await repository.claim_refresh_token(session, token_hash(refresh_token))
            if found is None or found.login.revoked_at is not None or not found.user.is_active:
                raise Unauthorized("This refresh token is not good any more. Sign in again.")
            if found.token.expires_at <= now:
                raise Unauthorized("The refresh token has expired. Sign in again.", code="token_expired")
            is_reused = found.token.replaced_at is not None and found.token.replaced_at < now - GRACE
            if is_reused:
                found.login.revoked_at = now
                successor = None
            else:
                found.token.replaced_at = found.token.replaced_at or now
                found.login.expires_at = now + self.refresh_lifetime
                await repository.delete_expired_tokens(session, session_id=found.login.id, now=now)
                successor = self._add_refresh_token(session, found.login, now)
        if successor is None:
            log.warning("an old refresh token of user %s was used again: the sign-in is revoked", found.user.id)
            raise Unauthorized("This refresh token was used before. For safety this sign-in has ended: sign in again.")
        return self._tokens(found.user, found.login.id, successor)

    async def logout(self, refresh_token: str) -> None:
        """End the sign-in that the token belongs to. An unknown token has nothing to end."""
        async with self.database.transaction() as session:
            found = await repository.claim_refresh_token(session, token_hash(refresh_token))
            if found is not None and found.login.revoked_at is None:
                found.login.revoked_at = utc_now()

    def _add_refresh_token(self, session: AsyncSession, login: AuthSession, now: datetime) -> str:
        refresh_token = new_token()
        session.add(
            RefreshToken(
                token_hash=token_hash(refresh_token),
                session_id=login.id,
                created_at=now,
                expires_at=now + self.refresh_lifetime,
            )
        )
        return refresh_token

    def _tokens(self, user: User, session_id: UUID, refresh_token: str) -> TokensRead:
        return TokensRead(
            access_token=self.access_tokens.issue(AccessToken(user.id, session_id)),
            refresh_token=refresh_token,
            expires_in=self.access_tokens.lifetime_seconds,
            user=UserRead.model_validate(user),
        )
