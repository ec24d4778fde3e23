"""Checks and locks of DATA_DIR: writable, with free space, and used by one backend."""

import errno
import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import make_url

from vision_api.config import Settings
from vision_api.disk_space.ballast import release_ballast
from vision_api.process.errors import StartError

LOCK_NAME = "backend.lock"
LEAST_FREE_BYTES = 32 * 1024**2


@contextmanager
def own_data_dir(settings: Settings) -> Generator[None]:
    """Prepare DATA_DIR, and lock it against other backends for as long as the context lasts.

    Raises StartError.
    """
    folder = settings.data_dir
    with ExitStack() as locks:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            release_ballast(settings, below_bytes=LEAST_FREE_BYTES)
            check_free_space(folder)
            for path in _lock_files(settings):
                locks.enter_context(_locked(path))
        except OSError as error:
            raise StartError(_explain(error, folder)) from error
        yield


def check_free_space(folder: Path, least_bytes: int = LEAST_FREE_BYTES) -> None:
    """Check the free space. Raises StartError when the disk is all but full: SQLite would fail later, less clearly."""
    free = shutil.disk_usage(folder).free
    if free < least_bytes:
        raise StartError(
            f"The disk of DATA_DIR ({folder}) is full: {free / 1024**2:.0f} MiB are free and at least "
            f"{least_bytes / 1024**2:.0f} are needed. Free some space, or choose another folder: DATA_DIR=…"
        )


def _lock_files(settings: Settings) -> list[Path]:
    """Return the lock files of a backend: only SQLite and local services tolerate no second one."""
    if not settings.is_sqlite and settings.training_execution_mode == "http":
        return []
    files = [settings.data_dir / LOCK_NAME]
    database = make_url(settings.database_url).database if settings.is_sqlite else None
    if database and not Path(database).absolute().is_relative_to(settings.data_dir):
        Path(database).absolute().parent.mkdir(parents=True, exist_ok=True)
        files.append(Path(f"{database}.lock"))
    return files


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold the lock of a file. The kernel frees it when this process ends, however it ends."""
    with path.open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            raise StartError(
                f"Another backend{_owner(file)} works on {path.parent}. Stop it first, or choose another folder: "
                "DATA_DIR=…"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _owner(file: IO[str]) -> str:
    file.seek(0)
    process_id = file.read(20).strip()
    return f" (process {process_id})" if process_id.isdigit() else ""


def _explain(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk of DATA_DIR ({folder}) is full. Free some space, or choose another folder: DATA_DIR=…"
    return f"DATA_DIR ({folder}) cannot be used: {error.strerror or error}. Choose another folder: DATA_DIR=…"
