"""Object storage: a local directory, S3 or what speaks its protocol, Google's, Azure's; one interface for all.

Methods block: from async code call them with `anyio.to_thread`. An object is visible completely or not at all, and is
named by its URI everywhere outside the store that wrote it.
"""

import errno
import os
import re
import shutil
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from data_kit.storage.errors import InvalidKey, ObjectNotFound, StorageError
from data_kit.storage.hooks import before_request
from data_kit.storage.running_digest import RunningDigest

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore as Backend

CHUNK_BYTES = 8 * 1024 * 1024
SPAN_BYTES = 8 * CHUNK_BYTES
"""One request reads so much. Each has time and tries of its own, so that an object of any size can be read."""
UPLOADS_AT_ONCE = 4
UPLOAD_BYTES = 128 * 1024 * 1024
"""Parts of one object that are on their way together hold no more memory than this, if one of them does not."""
PLANNED_PARTS = 9000
"""S3 takes an object in 10,000 parts at most; a file may have grown a little since its size was asked for."""
UNPLANNED_PART_BYTES = 64 * 1024 * 1024
"""Of an object whose size nobody knows: enough for 625 GiB."""
DELETE_BATCH = 1000
LARGEST_COPY_BYTES = 5 * 1024**3
"""S3 copies no larger object in one request."""
UNFINISHED = re.compile(r"#\d+$")
"""How obstore calls a local file that is being written; no object may have such a name."""


@dataclass(frozen=True)
class Timeouts:
    """How long to wait for a store that is not this machine's disk."""

    connect: timedelta = timedelta(seconds=5)
    silence: timedelta = timedelta(seconds=30)
    """Without one byte of an answer."""
    request: timedelta = timedelta(minutes=5)
    retries: int = 5
    total: timedelta = timedelta(minutes=2)
    """After it a request is not tried again."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that was written completely."""

    uri: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as the store lists it."""

    uri: str
    size_bytes: int
    modified_at: datetime


class ObjectStore:
    """Everything below one URL. Make it with `open_store`."""

    def __init__(self, url: str, backend: "Backend") -> None:
        self.url = url.rstrip("/")
        self._backend = backend

    def uri(self, key: str) -> str:
        """The URI of `key`. Raises InvalidKey for one that is no relative path."""
        return f"{self.url}/{_checked(key)}"

    def contains(self, uri: str) -> bool:
        """Whether `uri` names something below this store's URL."""
        with suppress(InvalidKey):
            return bool(self.key(uri))
        return False

    def key(self, uri: str) -> str:
        """The reverse of `uri`."""
        if not uri.startswith(f"{self.url}/"):
            raise InvalidKey(f"{uri} does not lie in {self.url}.")
        return _checked(uri.removeprefix(f"{self.url}/"))

    def put_file(self, path: Path, key: str) -> StoredObject:
        """Stores a file in one pass, whatever its size."""
        with path.open("rb") as file:
            return self.put_stream(_chunks(file), key, path.stat().st_size)

    def put_bytes(self, data: bytes, key: str) -> StoredObject:
        """Stores a small object."""
        return self.put_stream(iter([data]), key)

    def put_stream(self, chunks: Iterator[bytes], key: str, size_bytes: int | None = None) -> StoredObject:
        """Stores what `chunks` gives, a few parts at a time. With its size, large objects have parts that suit them."""
        uri, tally, part_bytes = self.uri(key), RunningDigest(), _part_bytes(size_bytes)
        first, second = next(chunks, b""), next(chunks, None)
        tally.add(first)
        with _translated(uri):
            if second is None:
                obstore.put(self._backend, key, first)
            else:
                obstore.put(
                    self._backend, key, tally.through(first, second, chunks),
                    chunk_size=part_bytes, max_concurrency=self._uploads_at_once(part_bytes),
                )  # fmt: skip
        self._sync(key)
        return StoredObject(uri, tally.size_bytes, tally.sha256)

    def _uploads_at_once(self, part_bytes: int) -> int:
        return 1 if isinstance(self._backend, LocalStore) else min(UPLOADS_AT_ONCE, max(1, UPLOAD_BYTES // part_bytes))

    def _sync(self, key: str) -> None:
        """A local object survives a power cut once this returns; the others' stores see to it themselves."""
        path = self.local_path(self.uri(key))
        if path is not None:
            for synced in (path, path.parent):
                descriptor = os.open(synced, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def get_file(self, uri: str, path: Path) -> StoredObject:
        """Fetches an object into a file that is there completely or not at all."""
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        tally = RunningDigest()
        try:
            with partial.open("wb") as file:
                for chunk in self.read(uri):
                    tally.add(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return StoredObject(uri, tally.size_bytes, tally.sha256)

    def read(self, uri: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The object's bytes from `start` on, in chunks. Raises at once if it does not exist."""
        with _translated(uri):
            meta = obstore.head(self._backend, self.key(uri))
        end = meta["size"] if length is None else min(start + length, meta["size"])
        return self._stream(uri, meta["e_tag"], start, end)

    def _stream(self, uri: str, e_tag: str | None, start: int, end: int) -> Iterator[bytes]:
        """Where a connection breaks, the store goes on with the next byte."""
        for first in range(start, end, SPAN_BYTES):
            with _translated(uri):
                options: GetOptions = {"range": (first, min(first + SPAN_BYTES, end)), "if_match": e_tag}
                for chunk in obstore.get(self._backend, self.key(uri), options=options).stream(CHUNK_BYTES):
                    yield bytes(chunk)

    def local_path(self, uri: str) -> Path | None:
        """The file that holds an object, to be read in place; None where objects are no files."""
        if isinstance(self._backend, LocalStore) and self._backend.prefix is not None:
            return Path(self._backend.prefix, self.key(uri))
        return None

    def copy(self, uri: str, key: str) -> str:
        """Stores the same content under another key, and returns its URI. The store does it itself, without the bytes
        coming here: a local one by a hard link, which takes no room.
        """
        target = self.uri(key)
        if self.local_path(uri) is None and (size := self.head(uri).size_bytes) > LARGEST_COPY_BYTES:
            return self.put_stream(_ahead(self.read(uri)), key, size).uri
        with _translated(uri):
            obstore.copy(self._backend, self.key(uri), key)
        self._sync(key)
        return target

    def read_bytes(self, uri: str) -> bytes:
        """A small object as a whole."""
        return b"".join(self.read(uri))

    def head(self, uri: str) -> ObjectInfo:
        """Size and time. Raises ObjectNotFound."""
        with _translated(uri):
            meta = obstore.head(self._backend, self.key(uri))
        return ObjectInfo(uri, meta["size"], meta["last_modified"])

    def exists(self, uri: str) -> bool:
        """Whether there is such an object."""
        with suppress(ObjectNotFound):
            return bool(self.head(uri))
        return False

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects below the folder `prefix`."""
        with _translated(f"{self.url}/{prefix}"):
            folder = _checked(prefix) if prefix else None
            batches = self._backend.list(folder, chunk_size=DELETE_BATCH)  # pyright: ignore[reportUnknownMemberType]
            for batch in batches:
                for meta in batch:
                    yield ObjectInfo(self.uri(meta["path"]), meta["size"], meta["last_modified"])

    def delete(self, uri: str) -> None:
        """Removes an object, if it is there."""
        with suppress(ObjectNotFound), _translated(uri):
            obstore.delete(self._backend, self.key(uri))

    def delete_prefix(self, prefix: str) -> int:
        """Removes all objects below the folder `prefix`, also unfinished ones; returns how many finished ones."""
        keys = [self.key(found.uri) for found in self.list(_checked(prefix))]
        for start in range(0, len(keys), DELETE_BATCH):
            with suppress(ObjectNotFound), _translated(f"{self.url}/{prefix}"):
                obstore.delete(self._backend, keys[start : start + DELETE_BATCH])
        if (folder := self.local_path(f"{self.url}/{prefix}")) is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return len(keys)

    def list_unfinished(self) -> Iterator[ObjectInfo]:
        """What writers that were killed have left in a local store, and what is being written.

        In a bucket nobody sees it but the bucket's own rule for incomplete uploads.
        """
        before_request.get()()
        root = self._backend.prefix if isinstance(self._backend, LocalStore) else None
        for path in Path(root).rglob("*#*") if root is not None else ():
            with suppress(FileNotFoundError):
                if UNFINISHED.search(path.name) and path.is_file():
                    found = path.stat()
                    yield ObjectInfo(path.as_uri(), found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def delete_unfinished(self, *, before: datetime) -> int:
        """Removes what nobody has written to since; returns how many there were."""
        old = [found for found in self.list_unfinished() if found.modified_at < before]
        for found in old:
            Path(unquote(urlsplit(found.uri).path)).unlink(missing_ok=True)
        return len(old)

    def presigned_url(self, uri: str, expires_in: timedelta) -> str | None:
        """A URL that anyone may read for a while; None where the store has no such thing."""
        with _translated(uri):
            if isinstance(self._backend, LocalStore):
                return None
            return obstore.sign(self._backend, "GET", self.key(uri), expires_in)  # type: ignore[arg-type]


def open_store(url: str, timeouts: Timeouts | None = None) -> ObjectStore:
    """`file:///folder`, `s3://bucket/prefix`, `gs://…`, `az://…`.

    Credentials and addresses come from the environment as those services name them (`AWS_ACCESS_KEY_ID`,
    `AWS_ENDPOINT_URL`, …). Raises InvalidKey for a URL of another kind.
    """
    timeouts = timeouts or Timeouts()
    parts = urlsplit(url)
    if parts.scheme == "file":
        return ObjectStore(url, LocalStore(Path(unquote(parts.path)), automatic_cleanup=True, mkdir=True))
    if parts.scheme not in {"s3", "gs", "az"} or not parts.netloc:
        raise InvalidKey(f"{url} is no storage URL: write file:///folder or s3://bucket/prefix.")
    is_plain_http = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    with _translated(url):
        backend = from_url(
            url,
            client_options={
                "allow_http": is_plain_http,
                "connect_timeout": timeouts.connect,
                "timeout": timeouts.request,
                "read_timeout": timeouts.silence,
            },
            retry_config={"max_retries": timeouts.retries, "retry_timeout": timeouts.total},
        )
    return ObjectStore(url, backend)


def _checked(key: str) -> str:
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts) or not key.isprintable():
        raise InvalidKey(f"{key!r} is no name for a stored object.")
    return key


def _part_bytes(size_bytes: int | None) -> int:
    return UNPLANNED_PART_BYTES if size_bytes is None else max(CHUNK_BYTES, -(-size_bytes // PLANNED_PARTS))


def _ahead(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same, each fetched by a thread of its own: an upload asks for them where obstore cannot download."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        following = pool.submit(next, chunks, None)
        while (chunk := following.result()) is not None:
            following = pool.submit(next, chunks, None)
            yield chunk


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


@contextmanager
def _translated(uri: str) -> Generator[None]:
    """A request: what fails in it is one of our errors."""
    before_request.get()()
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectNotFound(f"There is no object {uri}.") from error
    except BaseError as error:
        if f"os error {errno.ENOSPC}" in str(error):
            raise OSError(errno.ENOSPC, "No space left for stored objects", uri) from error
        reason = str(error).partition("\n\nDebug source")[0]
        raise StorageError(f"Object storage failed for {uri}: {reason}") from error
