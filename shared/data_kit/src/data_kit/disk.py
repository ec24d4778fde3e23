"""Room on a disk, and the reserve that is kept for what must always work, such as the ending of a training."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DEFAULT_RESERVE_BYTES = 1024**3
SMALL_DISK_PARTS = 20
"""A small disk keeps this part of itself, where that is less than DEFAULT_RESERVE_BYTES."""
READ_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """Room of a disk as it was read."""

    free_bytes: int
    reserve_bytes: int

    @property
    def status(self) -> Literal["ok", "low", "full"]:
        """Return `full` below the reserve, where nothing new is taken, and `low` below twice the reserve."""
        if not self.has_room():
            return "full"
        return "ok" if self.has_room(self.reserve_bytes) else "low"

    def has_room(self, size_bytes: int = 0) -> bool:
        """Return whether so many bytes more leave the reserve untouched."""
        return self.free_bytes - size_bytes >= self.reserve_bytes


class DiskReserve:
    """The reserve of the disk that a folder lies on. The disk is read at most once in READ_EVERY_SECONDS.

    Without `reserve_bytes` it is DEFAULT_RESERVE_BYTES, less on a small disk. 0 keeps none.
    """

    def __init__(self, folder: Path, reserve_bytes: int | None = None) -> None:
        self.folder = folder
        self._reserve_bytes = reserve_bytes
        self._read_at = 0.0
        self._room: DiskRoom | None = None

    def read(self) -> DiskRoom:
        """Return the room, which may be a second old."""
        now = time.monotonic()
        if self._room is None or now - self._read_at >= READ_EVERY_SECONDS:
            self._read_at, self._room = now, self.read_now()
        return self._room

    def read_now(self) -> DiskRoom:
        """Return the room of this moment."""
        usage = shutil.disk_usage(existing_folder(self.folder))
        default = min(DEFAULT_RESERVE_BYTES, usage.total // SMALL_DISK_PARTS)
        return DiskRoom(usage.free, default if self._reserve_bytes is None else self._reserve_bytes)


def existing_folder(path: Path) -> Path:
    """Return the nearest folder above `path` that exists: a new folder will be on its disk."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
