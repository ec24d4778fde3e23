"""A cache of data sets fetched from storage, kept for the next job up to a size limit.

{cache}/{key}.lock      shared while a runner trains on it, exclusive while it is filled or removed
{cache}/{key}/          a complete data set
{cache}/{key}.size      number of its bytes, and a hash of its files' names, sizes and modification times; if it
                        differs now, the data set was changed, and is fetched again, as {key}-anew while others train
                        on it
{cache}/{key}.partial/  an incomplete one, being filled or left by a killed runner
{cache}/{key}.zip, .{key}.zip.….partial    its archive, likewise
"""

import errno
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from trainer_kit.file_lock import FileLock
from trainer_kit.files import write_atomically

WAIT_SECONDS = 3600.0
CHANGED_SECONDS = 10.0
"""Time to wait for a changed data set to become free: a runner that fetches it again locks it sooner."""
SHARE_SECONDS = 1.0
FILL_SECONDS = 0.2

log = logging.getLogger(__name__)


class DatasetCache:
    """A folder that many runners share. A killed runner leaves no lock and no incomplete data set at its final path."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def use(self, key: str, fill: Callable[[Path], None]) -> tuple[Path, FileLock]:
        """Return the data set under `key`, filled by `fill(empty folder)` if it is missing, and its lock.

        The lock keeps it from being removed until it is released, or this process ends. Raises TimeoutError if
        another runner fills it and does not finish.
        """
        lock = FileLock(self._folder / f"{key}.lock")
        final = self._folder / key
        begun_at = time.monotonic()
        try:
            while not self._share(lock, final):
                if lock.acquire(timeout_seconds=FILL_SECONDS):
                    self._ensure_filled(key, final, fill)
                elif time.monotonic() > begun_at + CHANGED_SECONDS and self._is_changed_in_use(lock, final):
                    lock.release()
                    log.warning("%s was changed while it is in use: fetching another copy", final)
                    return self.use(f"{key}-anew", fill)
                elif time.monotonic() > begun_at + WAIT_SECONDS:
                    raise TimeoutError(
                        f"Another job has been fetching this data set for {WAIT_SECONDS / 60:.0f} minutes."
                    )
            os.utime(lock.path)  # `touch` may open the file, and closing it would drop the lock
            self.remove_leftovers(keep=key)
            self._evict(keep=key, max_bytes=self._max_bytes)
        except BaseException:
            lock.release()
            raise
        return final, lock

    def _share(self, lock: FileLock, final: Path) -> bool:
        """Take a shared lock if the data set is complete. An exclusive lock becomes a shared one without a gap."""
        if lock.acquire(timeout_seconds=SHARE_SECONDS, shared=True) and self._is_intact(final):
            return True
        lock.release()
        return False

    def _is_changed_in_use(self, lock: FileLock, final: Path) -> bool:
        """Return whether a changed data set is in use; takes a shared lock. Called after an exclusive lock failed."""
        return lock.acquire(shared=True) and final.exists() and not self._is_intact(final)

    def _is_intact(self, final: Path) -> bool:
        """Return whether it is complete and unchanged, which a power cut or a user may have spoilt.

        It costs a `stat` for each file; reading all bytes again would cost as much as fetching them.
        """
        return final.exists() and _state_of(final) == self._recorded(final.name)

    def _ensure_filled(self, key: str, final: Path, fill: Callable[[Path], None]) -> None:
        if self._is_intact(final):
            return
        _delete(final)
        try:
            self._fill(key, final, fill)
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._free_disk(keep=key):
                raise
            self._fill(key, final, fill)

    def _free_disk(self, *, keep: str) -> bool:
        """Remove every other data set that is not in use. Returns False if there was none."""
        leftovers = self.remove_leftovers(keep=keep)
        return self._evict(keep=keep, max_bytes=0) > 0 or leftovers > 0

    def _fill(self, key: str, final: Path, fill: Callable[[Path], None]) -> None:
        """Fill it, or leave nothing: an incomplete data set would keep the disk full."""
        partial = self._folder / f"{key}.partial"
        self._delete_leftovers(key)
        try:
            partial.mkdir()
            fill(partial)
            write_atomically(self._size_file(key), _state_of(partial).encode())
            partial.rename(final)
        except BaseException:
            self._delete_leftovers(key)
            raise

    def remove_leftovers(self, *, keep: str | None = None) -> int:
        """Remove the incomplete data sets that killed runners have left. Returns their number."""
        removed = 0
        for key in {_key_of(path) for path in self._leftovers("*")} - {keep}:
            lock = FileLock(self._folder / f"{key}.lock")
            if lock.acquire():
                try:
                    self._delete_leftovers(key)
                    removed += 1
                finally:
                    lock.release()
        return removed

    def _delete_leftovers(self, key: str) -> None:
        for path in self._leftovers(key):
            _delete(path)

    def _leftovers(self, key: str) -> list[Path]:
        patterns = (f"{key}.partial", f"{key}.zip", f".{key}.zip.*.partial")
        return [path for pattern in patterns for path in self._folder.glob(pattern)]

    def _evict(self, *, keep: str, max_bytes: int) -> int:
        """Remove the least recently used data sets until the rest fits; returns the number of bytes freed.

        Data sets in use stay, even beyond the limit.
        """
        keys = [path.stem for path in self._folder.glob("*.size")]
        total, freed = sum(self._size(key) for key in keys), 0
        for key in sorted(set(keys) - {keep}, key=self._used_at):
            if total - freed > max_bytes:
                freed += self._remove(key)
        return freed

    def _remove(self, key: str) -> int:
        lock = FileLock(self._folder / f"{key}.lock")
        if not lock.acquire():
            return 0
        try:
            size = self._size(key)
            log.info("removing data set %s from the cache (%d bytes)", key, size)
            shutil.rmtree(self._folder / f"{key}.partial", ignore_errors=True)
            if (self._folder / key).exists():
                (self._folder / key).rename(self._folder / f"{key}.partial")
            self._size_file(key).unlink(missing_ok=True)
            shutil.rmtree(self._folder / f"{key}.partial", ignore_errors=True)
            return size
        finally:
            lock.release()

    def _size_file(self, key: str) -> Path:
        return self._folder / f"{key}.size"

    def _recorded(self, key: str) -> str:
        try:
            return self._size_file(key).read_text()
        except (FileNotFoundError, ValueError):
            return ""

    def _size(self, key: str) -> int:
        number = self._recorded(key).partition(" ")[0]
        return int(number) if number.isdecimal() else 0

    def _used_at(self, key: str) -> float:
        try:
            return (self._folder / f"{key}.lock").stat().st_mtime
        except FileNotFoundError:
            return 0.0


def _key_of(path: Path) -> str:
    return path.name.lstrip(".").partition(".")[0]


def _state_of(folder: Path) -> str:
    size, state = 0, hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found = path.stat()
        size += found.st_size
        state.update(
            f"{path.relative_to(folder)}\0{found.st_size}\0{found.st_mtime_ns}\n".encode(errors="surrogateescape")
        )
    return f"{size} {state.hexdigest()}"


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
