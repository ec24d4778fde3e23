"""Dump and load of SQLite: its own online backup, while the backend runs."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from vision_api.backup.archive import BackupError
from vision_api.config import Settings

FILE = "platform.db"


def database_path(settings: Settings) -> Path:
    """Return the file of the database. Raises BackupError for a database in memory."""
    path = make_url(settings.database_url).database
    if not path:
        raise BackupError("a database in memory cannot be backed up")
    return Path(path)


def dump(settings: Settings, folder: Path) -> None:
    """Copy one consistent state, while others write."""
    source = database_path(settings)
    if not source.exists():
        raise BackupError(f"there is no database at {source}")
    with closing(sqlite3.connect(source)) as ours, closing(sqlite3.connect(folder / FILE)) as copy:
        ours.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def is_empty(settings: Settings) -> bool:
    """Return whether the database has no user."""
    path = database_path(settings)
    if not path.exists():
        return True
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE name = 'users'").fetchall()
        return not tables or not database.execute("SELECT 1 FROM users LIMIT 1").fetchall()


def load(settings: Settings, folder: Path) -> None:
    """Replace the database in one step; a kill before that step leaves the old one."""
    path = database_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.restoring")
    new.write_bytes((folder / FILE).read_bytes())
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    new.replace(path)
