"""The disks that a backend writes to, each with its reserve."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import make_url

from data_kit import DiskReserve, DiskRoom, existing_folder
from vision_api.config import Settings
from vision_api.errors import StorageFull


class Disks:
    """Disks by what lies on them: `data`, `database`, `storage`. Two folders of one disk are the first of them."""

    def __init__(self, reserves: Mapping[str, DiskReserve]) -> None:
        self._reserves = reserves

    @classmethod
    def of(cls, settings: Settings) -> "Disks":
        """Return the disks of a backend with these settings. Neither a bucket nor PostgreSQL is on one of them."""
        by_device: dict[int, tuple[str, DiskReserve]] = {}
        for name, folder in _folders(settings).items():
            device = existing_folder(folder).stat().st_dev
            by_device.setdefault(device, (name, DiskReserve(folder, settings.disk_reserve_bytes)))
        return cls(dict(by_device.values()))

    def read(self) -> dict[str, DiskRoom]:
        """Return the room of each disk, which may be a second old."""
        return {name: reserve.read() for name, reserve in self._reserves.items()}

    def has_room(self, size_bytes: int = 0) -> bool:
        """Return whether so many bytes more leave the reserve of every disk untouched."""
        return all(room.has_room(size_bytes) for room in self.read().values())

    def require_room(self, size_bytes: int = 0) -> None:
        """Check that so many bytes more leave every reserve untouched. Raises StorageFull."""
        for room in self.read().values():
            if not room.has_room(size_bytes):
                raise StorageFull(_explain(room, size_bytes))


def database_folder(settings: Settings) -> Path | None:
    """Return the folder of a SQLite file; None for another database."""
    path = make_url(settings.database_url).database if settings.is_sqlite else None
    return Path(path).absolute().parent if path else None


def _folders(settings: Settings) -> dict[str, Path]:
    folders = {"data": settings.data_dir}
    if (database := database_folder(settings)) is not None:
        folders["database"] = database
    storage = urlsplit(settings.storage_url)
    if storage.scheme == "file":
        folders["storage"] = Path(unquote(storage.path))
    return folders


def _explain(room: DiskRoom, size_bytes: int) -> str:
    reserve = _mebibytes(room.reserve_bytes)
    if room.has_room():
        left = _mebibytes(room.free_bytes - room.reserve_bytes)
        found = (
            f"This needs {_mebibytes(size_bytes)}; the server's disk has {left} left beside its reserve of {reserve}"
        )
    else:
        free = _mebibytes(room.free_bytes)
        found = f"The server's disk is almost full: {free} are free, and {reserve} are kept for what already runs"
    return f"{found}. Delete experiments, data sets or training states, or ask an administrator to free some space."


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:,.0f} MiB"
