"""The file of a backup: a tar that is written and read in one pass, so that it may go through a pipe.

manifest.json     what it is a backup of
database/…        the database's own form: a SQLite file, or a CSV of each table
objects/…         everything in storage
complete.json     how much there was. A file without it was cut off, and is refused
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
    """It cannot be done. The text is the one line that an operator needs."""


class Manifest(BaseModel):
    """What a backup is of."""

    format: Literal[1] = 1
    created_at: Time
    database: Literal["sqlite", "postgresql"]
    revision: str
    """Of the schema."""
    storage_url: str
    """Rows name their files by it."""
    sequences: dict[str, int] = {}
    """PostgreSQL's counters: a number that was given once is never given again."""


class Complete(BaseModel):
    """The last thing in the file."""

    objects: int
    total_bytes: int


def write_text(tar: tarfile.TarFile, name: str, content: BaseModel) -> None:
    """A small part."""
    data = content.model_dump_json(indent=1).encode()
    tar.addfile(_entry(name, len(data)), io.BytesIO(data))


def write_folder(tar: tarfile.TarFile, folder: Path) -> None:
    """The database."""
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            tar.addfile(_entry(DATABASE + path.name, path.stat().st_size), file)


def write_objects(tar: tarfile.TarFile, store: ObjectStore) -> tuple[Complete, set[str]]:
    """Everything in storage, and the URIs of it. What is deleted meanwhile is left out."""
    written: set[str] = set()
    total = 0
    for found in store.list():
        content = _Content(store, found)
        if content.begin():
            tar.addfile(_entry(OBJECTS + store.key(found.uri), found.size_bytes), content)  # type: ignore[arg-type]
            written.add(found.uri)
            total += found.size_bytes
    return Complete(objects=len(written), total_bytes=total), written


def read_manifest(tar: tarfile.TarFile) -> Manifest:
    """The first part. Raises BackupError."""
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
    """The database into `folder`, everything else into the storage. Raises BackupError for a file that was cut off."""
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


class _Content(io.RawIOBase):
    """An object, as the file that tarfile wants to read."""

    def __init__(self, store: ObjectStore, found: ObjectInfo) -> None:
        self._chunks = store.read(found.uri)
        self._rest = b""

    def begin(self) -> bool:
        """Whether it is still there."""
        try:
            self._rest = next(self._chunks, b"")
        except ObjectNotFound:
            return False
        return True

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        while len(self._rest) < size and (chunk := next(self._chunks, None)) is not None:
            self._rest += chunk
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


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
