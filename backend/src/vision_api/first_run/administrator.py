"""The first account, an administrator."""

import logging
import secrets
import sys

from sqlalchemy.exc import IntegrityError

from vision_api.auth import passwords
from vision_api.auth.repository import count_users
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.first_run import sample_project
from vision_api.models import User, UserRole
from vision_api.projects.schemas import ProjectCreate
from vision_api.projects.use_cases import create_project

log = logging.getLogger(__name__)


async def bootstrap(database: Database, settings: Settings) -> None:
    """Create the administrator, and in local mode the sample project, in a database without accounts.

    A generated password is printed before the transaction commits. Killed between the two, the next start prints
    another; in the other order it would be lost.
    """
    async with database.snapshot() as session:
        if await count_users(session):
            return
    given = settings.admin_password
    password = given.get_secret_value() if given else secrets.token_urlsafe(12)
    admin = User(
        email=settings.admin_email,
        full_name="Administrator",
        role=UserRole.ADMIN,
        password_hash=await passwords.hash_password(password),
        must_change_password=given is None,
    )
    try:
        async with database.transaction() as session:
            session.add(admin)
            await session.flush()
            if settings.training_execution_mode == "subprocess":
                project = await create_project(session, user=admin, request=ProjectCreate(name=sample_project.NAME))
                sample_project.save_pending(
                    settings, sample_project.PendingSample(project_id=project.id, user_id=admin.id)
                )
            if given is None:
                _print_password(settings.admin_email, password)
    except IntegrityError:
        log.info("another process was quicker to create the administrator")
    else:
        log.info("created the administrator %s", settings.admin_email)


def _print_password(email: str, password: str) -> None:
    """Print the password on the terminal; the log may be read by others and is kept."""
    sys.stdout.write(
        f"\n  First administrator: {email}\n  Password:            {password}\n"
        "  It is shown only now, and must be changed at the first login.\n\n"
    )
    sys.stdout.flush()
