"""Archive of a backup: a tar that is written and read in one pass, so that it may go through a pipe.

manifest.json     the database and the storage of the backup
database/…        the database's own form: a SQLite file, or a CSV of each table
objects/…         all objects in storage
complete.json     the number of objects. A file without it was cut off, and is refused
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ValidationError

from data_kit import ObjectInfo, ObjectNotFound, ObjectStore
from vision_contracts import Time

MANIFEST, DATABASE, OBJECTS, COMPLETE = "manifest.json", "database/", "objects/", "complete.json"
READ_BYTES = 8 * 1024**2


class BackupError(Exception):
    """A backup or restore that is impossible. The text is the one line that an operator needs."""


class Manifest(BaseModel):
    """Description of a backup."""

    format: Literal[1] = 1
    created_at: Time
    database: Literal["sqlite", "postgresql"]
    revision: str
    """Revision of the schema."""
    storage_url: str
    """Prefix of the URIs in rows."""
    sequences: dict[str, int] = {}
    """PostgreSQL's sequences: a number that was used once is never used again."""


class Complete(BaseModel):
    """The last entry of the archive."""

    objects: int
    total_bytes: int


def write_text(tar: tarfile.TarFile, name: str, content: BaseModel) -> None:
    """Write a small entry of JSON."""
    data = content.model_dump_json(indent=1).encode()
    tar.addfile(_entry(name, len(data)), io.BytesIO(data))


def write_folder(tar: tarfile.TarFile, folder: Path) -> None:
    """Write the files of the database."""
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            tar.addfile(_entry(DATABASE + path.name, path.stat().st_size), file)


def write_objects(tar: tarfile.TarFile, store: ObjectStore) -> tuple[Complete, set[str]]:
    """Write all objects in storage, and return their URIs. Objects that are deleted meanwhile are left out."""
    written: set[str] = set()
    total = 0
    for found in store.list():
        content = _ObjectReader(store, found)
        if content.open():
            tar.addfile(_entry(OBJECTS + store.key(found.uri), found.size_bytes), content)  # type: ignore[arg-type]
            written.add(found.uri)
            total += found.size_bytes
    return Complete(objects=len(written), total_bytes=total), written


def read_manifest(tar: tarfile.TarFile) -> Manifest:
    """Read the first entry. Raises BackupError."""
    entry = tar.next()
    if entry is None or entry.name != MANIFEST:
        raise BackupError("this is no backup of the platform")
    try:
        return Manifest.model_validate_json(_read(tar, entry).read())
    except ValidationError as error:
        raise BackupError(
            f"this backup is of a kind that this version does not know ({error.errors()[0]['msg']})"
        ) from error


def read_rest(tar: tarfile.TarFile, folder: Path, store: ObjectStore) -> Complete:
    """Extract the database to `folder` and the objects to the storage. Raises BackupError if it was cut off."""
    count = 0
    while (entry := tar.next()) is not None:
        if entry.name == COMPLETE:
            complete = Complete.model_validate_json(_read(tar, entry).read())
            if complete.objects != count:
                raise BackupError(f"the backup has {count} files in place of {complete.objects}")
            return complete
        content = _read(tar, entry)
        if entry.name.startswith(DATABASE):
            _copy(content, folder / Path(entry.name).name)
        elif entry.name.startswith(OBJECTS):
            store.put_stream(_chunks(content), entry.name.removeprefix(OBJECTS))
            count += 1
    raise BackupError("the backup was cut off before its end")


class _ObjectReader(io.RawIOBase):
    """An object as a file that tarfile reads in small pieces, without copying the rest for each of them."""

    def __init__(self, store: ObjectStore, found: ObjectInfo) -> None:
        self._store, self._uri = store, found.uri
        self._chunks: Iterator[bytes] = iter(())
        self._rest = memoryview(b"")

    def open(self) -> bool:
        """Begin to read, and return whether the object still exists."""
        try:
            self._chunks = self._store.read(self._uri)
            self._rest = memoryview(next(self._chunks, b""))
        except ObjectNotFound:
            return False
        return True

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, and fewer only at the end."""
        pieces: list[memoryview] = []
        while size > 0 and (self._rest or self._next()):
            pieces.append(self._rest[:size])
            size -= len(pieces[-1])
            self._rest = self._rest[len(pieces[-1]) :]
        return b"".join(pieces)

    def _next(self) -> bool:
        self._rest = memoryview(next(self._chunks, b""))
        return len(self._rest) > 0


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry


def _read(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(entry)
    if file is None:
        raise BackupError(f"{entry.name} in the backup is no file")
    return file


def _copy(content: IO[bytes], path: Path) -> None:
    with path.open("wb") as file:
        for chunk in _chunks(content):
            file.write(chunk)


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: content.read(READ_BYTES), b"")
