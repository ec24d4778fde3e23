"""Workflows of accounts: register, sign in, stay signed in, change an account, and use a stream ticket.

bcrypt takes its time, so a password is hashed and compared outside of every database session.
"""

import logging
from datetime import timedelta
from uuid import UUID

from vision_api.auth import passwords, use_cases
from vision_api.auth.schemas import Credentials, TokensRead, UserCreate, UserRead, UserUpdate
from vision_api.auth.throttles import use_cases as throttles
from vision_api.auth.throttles.limits import REFRESHES, REFUSED_REFRESHES, REGISTRATIONS, account_mark
from vision_api.auth.tokens import AccessToken, AccessTokens
from vision_api.db.session import Database
from vision_api.errors import Invalid, RateLimited, Unauthorized
from vision_api.kit.clock import Clock
from vision_api.kit.networks import network_of
from vision_api.models import User
from vision_contracts import FieldProblem

log = logging.getLogger(__name__)


async def count_registration(database: Database, *, clock: Clock, address: str) -> None:
    """Count a stranger's attempt to register, before the password is hashed. Raises RateLimited."""
    async with database.transaction() as session:
        await throttles.count_request(session, limit=REGISTRATIONS, client=(network_of(address),), now=clock())
        await throttles.delete_expired_counts(session, now=clock())


async def register(database: Database, *, request: UserCreate) -> User:
    """Create an account. Raises Conflict if the e-mail has one."""
    password_hash = await passwords.hash_password(request.password)
    async with database.transaction() as session:
        user = await use_cases.add_user(session, request=request, password_hash=password_hash)
    log.info("user %s registered", user.id)
    return user


async def login(
    database: Database,
    *,
    access_tokens: AccessTokens,
    clock: Clock,
    refresh_lifetime: timedelta,
    credentials: Credentials,
    address: str,
) -> TokensRead:
    """Return tokens for a user whose password is right.

    Raises Unauthorized(invalid_credentials), after the same time for an unknown e-mail as for a wrong password;
    RateLimited.
    """
    await _count_sign_in(database, clock, credentials.email, address)
    async with database.snapshot() as session:
        user = await use_cases.find_user(session, email=credentials.email)
    is_right = await passwords.verify_password(credentials.password, user.password_hash if user else None)
    if user is None or not is_right or not user.is_active:
        log.info("login refused: wrong e-mail or password, account %s at %s", account_mark(credentials.email), address)
        raise Unauthorized("The e-mail or the password is not right.", code="invalid_credentials")
    async with database.transaction() as session:
        await throttles.forgive_sign_in(session, user_id=user.id, email=user.email, address=address, now=clock())
        refresh_token, session_id = await use_cases.begin_sign_in(session, user=user, lifetime=refresh_lifetime)
    log.info("user %s signed in", user.id)
    return _tokens(access_tokens, user, session_id, refresh_token)


async def _count_sign_in(database: Database, clock: Clock, email: str, address: str) -> None:
    """Count an attempt to sign in. Raises RateLimited."""
    now = clock()
    try:
        async with database.transaction() as session:
            await throttles.count_sign_in(session, email=email, address=address, now=now)
            await throttles.delete_expired_counts(session, now=now)
    except RateLimited:
        log.warning("login refused: too many attempts, account %s at %s", account_mark(email), address)
        raise


async def refresh(
    database: Database,
    *,
    access_tokens: AccessTokens,
    clock: Clock,
    refresh_lifetime: timedelta,
    refresh_token: str,
    address: str,
) -> TokensRead:
    """Return new tokens for a refresh token, which is replaced by the new one.

    Raises Unauthorized: token_expired, or token_invalid, also for a token that was used before: the revocation of its
    sign-in is committed before the request is refused. Raises RateLimited: for tokens that are not good, and for too
    many refreshes of one sign-in. An address that sends many of the former is still heard with a good one.
    """
    try:
        async with database.transaction() as session:
            renewal = await use_cases.renew_sign_in(session, refresh_token=refresh_token, lifetime=refresh_lifetime)
            if renewal.refresh_token is not None:  # a revocation must be committed
                client = (str(renewal.session_id),)
                await throttles.count_request(session, limit=REFRESHES, client=client, now=clock())
    except Unauthorized:
        async with database.transaction() as session:
            await throttles.count_request(session, limit=REFUSED_REFRESHES, client=(network_of(address),), now=clock())
            await throttles.delete_expired_counts(session, now=clock())
        raise
    if renewal.refresh_token is None:
        log.warning("an old refresh token of user %s was used again: the sign-in is revoked", renewal.user.id)
        raise Unauthorized("This refresh token was used before. For safety this sign-in has ended: sign in again.")
    return _tokens(access_tokens, renewal.user, renewal.session_id, renewal.refresh_token)


def _tokens(access_tokens: AccessTokens, user: User, session_id: UUID, refresh_token: str) -> TokensRead:
    return TokensRead(
        access_token=access_tokens.issue(AccessToken(user.id, session_id)),
        refresh_token=refresh_token,
        expires_in=access_tokens.lifetime_seconds,
        user=UserRead.model_validate(user),
    )


async def update_account(
    database: Database, *, clock: Clock, user: User, session_id: UUID, request: UserUpdate, address: str
) -> User:
    """Change one's own name or password. A new password ends every other sign-in of the user.

    Raises Invalid if the current password is missing or wrong, RateLimited after too many guesses.
    """
    new_hash = None
    if request.new_password is not None:
        new_hash = await _checked_new_hash(database, clock, user, request, address)
    async with database.transaction() as session:
        return await use_cases.update_user(
            session, user_id=user.id, session_id=session_id, request=request, password_hash=new_hash
        )


async def _checked_new_hash(database: Database, clock: Clock, user: User, request: UserUpdate, address: str) -> str:
    if request.current_password is None:
        raise Invalid("Changing the password needs the current one.", field="current_password")
    await _count_sign_in(database, clock, user.email, address)
    if not await passwords.verify_password(request.current_password, user.password_hash):
        # A 401 would look to a frontend like the end of the sign-in.
        message = "The current password is not right."
        raise Invalid(
            message, errors=[FieldProblem(field="current_password", code="invalid_credentials", message=message)]
        )
    async with database.transaction() as session:
        await throttles.forgive_sign_in(session, user_id=user.id, email=user.email, address=address, now=clock())
    if request.new_password is None or request.new_password == request.current_password:
        raise Invalid("The new password must differ from the current one.", field="new_password")
    return await passwords.hash_password(request.new_password)


async def redeem_ticket(database: Database, *, ticket: str, path: str) -> tuple[User, UUID]:
    """Return the user and the sign-in whose ticket this is. Raises Unauthorized: token_expired or token_invalid.

    Only the first use writes: an `EventSource` reconnects often.
    """
    async with database.snapshot() as session:
        stored, user = await use_cases.get_ticket(session, ticket=ticket, path=path)
    if stored.first_used_at is None:
        async with database.transaction() as session:
            await use_cases.mark_ticket_used(session, ticket=ticket)
    return user, stored.session_id
