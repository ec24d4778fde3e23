"""SQLite: its own online copy, while the backend works."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from vision_api.backup.archive import BackupError
from vision_api.config import Settings

FILE = "platform.db"


def database_path(settings: Settings) -> Path:
    """The file. Raises BackupError for a database in memory."""
    path = make_url(settings.database_url).database
    if not path:
        raise BackupError("a database in memory cannot be kept")
    return Path(path)


def dump(settings: Settings, folder: Path) -> None:
    """One state of it, though others write."""
    source = database_path(settings)
    if not source.exists():
        raise BackupError(f"there is no database at {source}")
    with closing(sqlite3.connect(source)) as ours, closing(sqlite3.connect(folder / FILE)) as copy:
        ours.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def is_empty(settings: Settings) -> bool:
    """Whether nobody has an account in it."""
    path = database_path(settings)
    if not path.exists():
        return True
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE name = 'users'").fetchall()
        return not tables or not database.execute("SELECT 1 FROM users LIMIT 1").fetchall()


def load(settings: Settings, folder: Path) -> None:
    """In one step: whoever is killed before it leaves the old database as it was."""
    path = database_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.restoring")
    new.write_bytes((folder / FILE).read_bytes())
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    for of_the_old in ("-wal", "-shm"):
        path.with_name(path.name + of_the_old).unlink(missing_ok=True)
    new.replace(path)
