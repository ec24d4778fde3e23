"""Object storage with one interface: a local directory, S3 and its compatibles, Google Cloud Storage, Azure.

Methods block: from async code call them with `anyio.to_thread`. An object is visible completely or not at all, and is
named by its URI everywhere outside the store that wrote it.
"""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore

from data_kit.storage.errors import InvalidKey, ObjectNotFound
from data_kit.storage.local import sync_to_disk, unfinished_files
from data_kit.storage.objects import ObjectInfo, StoredObject
from data_kit.storage.requests import before_request, request
from data_kit.storage.running_digest import RunningDigest

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore as Backend

CHUNK_BYTES = 8 * 1024 * 1024
SPAN_BYTES = 8 * CHUNK_BYTES
"""Size of one read request. Each has its own timeout and retries, so that an object of any size can be read."""
UPLOADS_AT_ONCE = 4
UPLOAD_BYTES = 128 * 1024 * 1024
"""Memory for the parts of one object that are uploaded together, unless a single part is larger."""
PLANNED_PARTS = 9000
"""Fewer than the 10,000 parts that S3 allows, since a file may have grown since its size was read."""
UNPLANNED_PART_BYTES = 64 * 1024 * 1024
"""Part size of an object of unknown size: enough for 625 GiB."""
DELETE_BATCH = 1000
LARGEST_COPY_BYTES = 5 * 1024**3
"""Size of the largest object that S3 copies in one request."""


class ObjectStore:
    """All objects below one URL. Made by `open_store`."""

    def __init__(self, url: str, backend: "Backend") -> None:
        self.url = url.rstrip("/")
        self._backend = backend

    def uri(self, key: str) -> str:
        """Return the URI of `key`. Raises InvalidKey for one that is no relative path."""
        return f"{self.url}/{_checked(key)}"

    def contains(self, uri: str) -> bool:
        """Return whether `uri` lies below this store's URL."""
        with suppress(InvalidKey):
            return bool(self.key(uri))
        return False

    def key(self, uri: str) -> str:
        """Return the key of a URI, as the reverse of `uri`. Raises InvalidKey."""
        if not uri.startswith(f"{self.url}/"):
            raise InvalidKey(f"{uri} does not lie in {self.url}.")
        return _checked(uri.removeprefix(f"{self.url}/"))

    def put_file(self, path: Path, key: str) -> StoredObject:
        """Store a file in one pass, whatever its size."""
        with path.open("rb") as file:
            return self.put_stream(_chunks(file), key, path.stat().st_size)

    def put_bytes(self, data: bytes, key: str) -> StoredObject:
        """Store a small object."""
        return self.put_stream(iter([data]), key)

    def put_stream(self, chunks: Iterator[bytes], key: str, size_bytes: int | None = None) -> StoredObject:
        """Store a stream, a few parts at a time. With its size, a large object gets parts of a suitable size."""
        uri, digest, part_bytes = self.uri(key), RunningDigest(), _part_bytes(size_bytes)
        first, second = next(chunks, b""), next(chunks, None)
        digest.add(first)
        with request(uri):
            if second is None:
                obstore.put(self._backend, key, first)
            else:
                obstore.put(
                    self._backend, key, digest.through(first, second, chunks),
                    chunk_size=part_bytes, max_concurrency=self._uploads_at_once(part_bytes),
                )  # fmt: skip
        self._sync(key)
        return StoredObject(uri, digest.size_bytes, digest.sha256)

    def _uploads_at_once(self, part_bytes: int) -> int:
        return 1 if isinstance(self._backend, LocalStore) else min(UPLOADS_AT_ONCE, max(1, UPLOAD_BYTES // part_bytes))

    def _sync(self, key: str) -> None:
        """Sync a local object to disk; the others' stores do so themselves."""
        path = self.local_path(self.uri(key))
        if path is not None:
            sync_to_disk(path)

    def get_file(self, uri: str, path: Path) -> StoredObject:
        """Download an object into a file, which appears completely or not at all."""
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        digest = RunningDigest()
        try:
            with partial.open("wb") as file:
                for chunk in self.read(uri):
                    digest.add(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return StoredObject(uri, digest.size_bytes, digest.sha256)

    def read(self, uri: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read the object's bytes from `start` on, in chunks. Raises ObjectNotFound at once."""
        with request(uri):
            meta = obstore.head(self._backend, self.key(uri))
        end = meta["size"] if length is None else min(start + length, meta["size"])
        return self._stream(uri, meta["e_tag"], start, end)

    def _stream(self, uri: str, e_tag: str | None, start: int, end: int) -> Iterator[bytes]:
        """Yield chunks, each span by a request of its own. A broken connection is resumed at the next byte."""
        for first in range(start, end, SPAN_BYTES):
            with request(uri):
                options: GetOptions = {"range": (first, min(first + SPAN_BYTES, end)), "if_match": e_tag}
                for chunk in obstore.get(self._backend, self.key(uri), options=options).stream(CHUNK_BYTES):
                    yield bytes(chunk)

    def local_path(self, uri: str) -> Path | None:
        """Return the file that holds an object, to be read in place; None if objects are no files."""
        if isinstance(self._backend, LocalStore) and self._backend.prefix is not None:
            return Path(self._backend.prefix, self.key(uri))
        return None

    def copy(self, uri: str, key: str) -> str:
        """Copy the content to another key, and return its URI.

        The store copies it itself, without a transfer: a local one by a hard link, which takes no space.
        """
        target = self.uri(key)
        if self.local_path(uri) is None and (size := self.head(uri).size_bytes) > LARGEST_COPY_BYTES:
            return self.put_stream(_fetched_ahead(self.read(uri)), key, size).uri
        with request(uri):
            obstore.copy(self._backend, self.key(uri), key)
        self._sync(key)
        return target

    def read_bytes(self, uri: str) -> bytes:
        """Read a small object as a whole."""
        return b"".join(self.read(uri))

    def head(self, uri: str) -> ObjectInfo:
        """Return an object's size and time. Raises ObjectNotFound."""
        with request(uri):
            meta = obstore.head(self._backend, self.key(uri))
        return ObjectInfo(uri, meta["size"], meta["last_modified"])

    def exists(self, uri: str) -> bool:
        """Return whether there is such an object."""
        with suppress(ObjectNotFound):
            return bool(self.head(uri))
        return False

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """List all objects below the folder `prefix`."""
        with request(f"{self.url}/{prefix}"):
            folder = _checked(prefix) if prefix else None
            batches = self._backend.list(folder, chunk_size=DELETE_BATCH)  # pyright: ignore[reportUnknownMemberType]
            for batch in batches:
                for meta in batch:
                    yield ObjectInfo(self.uri(meta["path"]), meta["size"], meta["last_modified"])

    def delete(self, uri: str) -> None:
        """Delete an object, if it is there."""
        with suppress(ObjectNotFound), request(uri):
            obstore.delete(self._backend, self.key(uri))

    def delete_prefix(self, prefix: str) -> int:
        """Delete all objects below the folder `prefix`, and unfinished ones; returns the number of finished ones."""
        keys = [self.key(found.uri) for found in self.list(_checked(prefix))]
        for start in range(0, len(keys), DELETE_BATCH):
            with suppress(ObjectNotFound), request(f"{self.url}/{prefix}"):
                obstore.delete(self._backend, keys[start : start + DELETE_BATCH])
        if (folder := self.local_path(f"{self.url}/{prefix}")) is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return len(keys)

    def list_unfinished(self) -> Iterator[ObjectInfo]:
        """List the partly written files of a local store: of killed writers, and of those still at work.

        In a bucket they are invisible, and left to the bucket's own rule for incomplete uploads.
        """
        before_request.get()()
        root = self._backend.prefix if isinstance(self._backend, LocalStore) else None
        return unfinished_files(Path(root)) if root is not None else iter(())

    def delete_unfinished(self, *, before: datetime) -> int:
        """Delete unfinished files that were last written to before a time; returns their number."""
        old = [found for found in self.list_unfinished() if found.modified_at < before]
        for found in old:
            Path(unquote(urlsplit(found.uri).path)).unlink(missing_ok=True)
        return len(old)

    def presigned_url(self, uri: str, expires_in: timedelta) -> str | None:
        """Return a URL that anyone may read for a while; None if the store has no such URLs."""
        with request(uri):
            if isinstance(self._backend, LocalStore):
                return None
            return obstore.sign(self._backend, "GET", self.key(uri), expires_in)  # type: ignore[arg-type]


def _checked(key: str) -> str:
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts) or not key.isprintable():
        raise InvalidKey(f"{key!r} is no name for a stored object.")
    return key


def _part_bytes(size_bytes: int | None) -> int:
    return UNPLANNED_PART_BYTES if size_bytes is None else max(CHUNK_BYTES, -(-size_bytes // PLANNED_PARTS))


def _fetched_ahead(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same chunks, each fetched ahead in a thread: obstore cannot download inside of an upload."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        following = pool.submit(next, chunks, None)
        while (chunk := following.result()) is not None:
            following = pool.submit(next, chunks, None)
            yield chunk


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
