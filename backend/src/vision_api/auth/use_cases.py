"""Use cases of accounts: register, and change one's own.

bcrypt takes its time, so a password is hashed and compared outside of every database session.
"""

import logging
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from vision_api.auth import passwords, repository
from vision_api.auth.schemas import UserCreate, UserUpdate
from vision_api.auth.throttle import LoginThrottle
from vision_api.db.session import Database
from vision_api.errors import Conflict, Invalid
from vision_api.kit.clock import utc_now
from vision_api.models import User
from vision_contracts import FieldProblem

log = logging.getLogger(__name__)


async def register(database: Database, *, request: UserCreate) -> User:
    """Create an account. Raises Conflict if the e-mail has one."""
    user = User(
        email=request.email,
        full_name=request.full_name,
        password_hash=await passwords.hash_password(request.password),
    )
    try:
        async with database.transaction() as session:
            session.add(user)
    except IntegrityError as error:
        raise Conflict("There is an account with this e-mail already. Sign in instead.") from error
    log.info("user %s registered", user.id)
    return user


async def update_account(
    database: Database, throttle: LoginThrottle, *, user: User, session_id: UUID, request: UserUpdate, address: str
) -> User:
    """Change one's own name or password. A new password ends every other sign-in of the user.

    Raises Invalid if the current password is missing or wrong, RateLimited after too many guesses.
    """
    new_hash = None
    if request.new_password is not None:
        new_hash = await _checked_new_hash(throttle, user, request, address)
    async with database.transaction() as session:
        stored = await session.get_one(User, user.id)
        if "full_name" in request.model_fields_set:
            stored.full_name = request.full_name
        if new_hash is not None:
            stored.password_hash = new_hash
            stored.must_change_password = False
            await repository.revoke_sessions(session, user_id=user.id, now=utc_now(), except_session_id=session_id)
            log.info("user %s changed the password; other sign-ins have ended", user.id)
    return stored


async def _checked_new_hash(throttle: LoginThrottle, user: User, request: UserUpdate, address: str) -> str:
    if request.current_password is None:
        raise Invalid("Changing the password needs the current one.", field="current_password")
    throttle.attempt(email=user.email, address=address)
    if not await passwords.verify_password(request.current_password, user.password_hash):
        # A 401 would look to a frontend like the end of the sign-in.
        message = "The current password is not right."
        raise Invalid(
            message, errors=[FieldProblem(field="current_password", code="invalid_credentials", message=message)]
        )
    throttle.succeeded(email=user.email, address=address)
    if request.new_password is None or request.new_password == request.current_password:
        raise Invalid("The new password must differ from the current one.", field="new_password")
    return await passwords.hash_password(request.new_password)
