"""Migrations of the database's schema: `python -m vision_api.migrate`.

Locally the backend does it by itself when it starts; when deployed it is a command that runs once before a release.
"""

import asyncio
import logging
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, event, text

from vision_api.config import ConfigurationError, Settings, load_settings
from vision_api.db.engine import BEGIN_OPTION, make_engine
from vision_api.db.retry import retry_until_available
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.logging import configure_logging

log = logging.getLogger(__name__)

LOCK_KEY = 0x7669_7369_6F6E  # "vision": the same number for every process that migrates this database
WAIT_MILLISECONDS = 60_000
MIGRATIONS = Path(__file__).parents[2] / "migrations"
"""The backend runs from its checkout, in a container too."""


class MigrationError(ConfigurationError):
    """The schema does not fit this version, or the database does not answer. The message says what to do."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def migrate(settings: Settings) -> None:
    """Migrate before the backend serves; in a deployment only check that the schema was migrated.

    Raises MigrationError.
    """
    is_local = settings.is_sqlite or settings.training_execution_mode == "subprocess"
    migration = partial(upgrade if is_local else require_schema, settings)
    try:
        asyncio.run(retry_until_available(migration, within_seconds=_wait_seconds(settings)))
    except DatabaseUnavailable as error:
        raise MigrationError(f"the database does not answer: {error.__cause__ or error}") from error


def _wait_seconds(settings: Settings) -> float:
    """Return how long to wait for the database: a server may be starting, a file is there or not."""
    return 0.0 if settings.is_sqlite else settings.database_wait_seconds


async def upgrade(settings: Settings, *, to: str = "head") -> None:
    """Migrate to the newest revision, or up to the one named, in one transaction. Of two processes the second waits,
    and has nothing to do.

    Raises MigrationError for a database of a newer version, DatabaseUnavailable.
    """
    engine = make_engine(settings, busy_milliseconds=WAIT_MILLISECONDS)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    try:
        async with engine.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"}).begin() as connection:
            await connection.run_sync(_upgrade, to)
    except CommandError as error:
        raise MigrationError(
            f"the database belongs to another version of the platform ({error}). Install that version or a newer one."
        ) from error
    finally:
        await engine.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Turn foreign keys off: SQLite alters a table by copying it, and dropping the old one would cascade."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF")
    cursor.close()


def _upgrade(connection: Connection, to: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    before = current_revision(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    after = current_revision(connection)
    if connection.dialect.name == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first():
        raise MigrationError("the migration would leave rows that refer to nothing. Nothing was changed.")
    if before != after:
        log.info("migrated the database from revision %s to %s", before or "none", after)


def current_revision(connection: Connection) -> str | None:
    """Return the revision that the database is at; None if it has no tables."""
    return MigrationContext.configure(connection).get_current_revision()


async def require_schema(settings: Settings) -> None:
    """Check that the database was migrated. Raises MigrationError, DatabaseUnavailable."""
    engine = make_engine(settings)
    try:
        async with engine.connect() as connection:
            revision = await connection.run_sync(current_revision)
    finally:
        await engine.dispose()
    if revision is None:
        raise MigrationError("the database has no tables yet. Run: python -m vision_api.migrate")


@cache
def newest_revision() -> str | None:
    """Return the newest revision that this version has."""
    return ScriptDirectory.from_config(_config()).get_current_head()


@cache
def known_revisions() -> frozenset[str]:
    """Return every revision that this version has."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def main() -> None:
    """Run the command; exit with 1 and one line when it cannot be done."""
    try:
        settings = load_settings()
        configure_logging(settings.log_format, settings.log_level)
        asyncio.run(retry_until_available(partial(upgrade, settings), within_seconds=_wait_seconds(settings)))
    except (ConfigurationError, DatabaseUnavailable) as error:
        sys.exit(f"vision-api cannot migrate the database: {error}")


if __name__ == "__main__":
    main()
