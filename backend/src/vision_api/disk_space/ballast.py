"""A file that keeps room for the database: when others fill the disk, it is deleted, and sign-ins and endings work."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from data_kit import DiskReserve
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.disk_space.disks import database_folder

logger = logging.getLogger(__name__)

NAME = "ballast"
MOST_BYTES = 64 * 1024**2
LEAST_BYTES = 8 * 1024**2
"""Size on a small disk. SQLite's log grows by half of this until it is reused."""
CHECK_SECONDS = 1.0


class Ballast:
    """The file in one folder. Each operation is safe against a kill at any moment, and against another backend's.

    A kill while it is being allocated leaves a shorter file, which the next allocation completes, and one that was
    deleted in time is allocated once there is room again.
    """

    def __init__(self, reserve: DiskReserve) -> None:
        self._reserve = reserve
        self.path = reserve.folder / NAME

    def size_bytes(self) -> int:
        """Return the size that the whole file has: a sixteenth of the reserve, and more where that is very little."""
        reserve = self._reserve.read().reserve_bytes
        return min(MOST_BYTES, max(reserve // 16, min(LEAST_BYTES, reserve // 2)))

    def release_if_full(self) -> None:
        """Delete the file if less than a quarter of its size is free. Takes microseconds, and needs no room."""
        self.release(below_bytes=self.size_bytes() // 4)

    def release(self, *, below_bytes: int) -> None:
        """Delete the file if fewer bytes are free."""
        if self._reserve.read_now().free_bytes >= below_bytes:
            return
        try:
            self.path.unlink()
        except FileNotFoundError:
            return
        logger.warning("the disk of %s is full: the ballast was deleted, so that the database can write", self.path)

    def allocate_if_room(self) -> None:
        """Allocate what is missing of the file, once that leaves the reserve untouched."""
        size, present = self.size_bytes(), self.path.stat().st_size if self.path.exists() else 0
        if size == present or not self._reserve.read_now().has_room(size - present):
            return
        with self.path.open("ab") as file:
            file.truncate(min(present, size))
            if size > 0:
                os.posix_fallocate(file.fileno(), 0, size)  # a sparse file would keep no room


def release_ballast(settings: Settings, *, below_bytes: int) -> None:
    """Delete the ballast that a backend has left, if fewer bytes are free: the next one needs room to start."""
    if (ballast := _ballast_of(settings)) is not None:
        ballast.release(below_bytes=below_bytes)


def _ballast_of(settings: Settings) -> Ballast | None:
    folder = database_folder(settings)
    return Ballast(DiskReserve(folder, settings.disk_reserve_bytes)) if folder is not None else None


@asynccontextmanager
async def running_ballast(database: Database, settings: Settings) -> AsyncGenerator[None]:
    """Keep the ballast of a SQLite file as large as it may be. With PostgreSQL there is none: it has a disk of its own.

    It is released before a transaction that would find the disk full, or within CHECK_SECONDS.
    """
    ballast = _ballast_of(settings)
    if ballast is None:
        yield
        return
    database.before_writing(ballast.release_if_full)
    task = asyncio.create_task(_keep(ballast), name="ballast")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _keep(ballast: Ballast) -> None:
    while True:
        try:
            ballast.release_if_full()
            await asyncio.to_thread(ballast.allocate_if_room)
        except OSError as error:
            logger.warning("the ballast %s cannot be kept: %s", ballast.path, error)
        await asyncio.sleep(CHECK_SECONDS)
