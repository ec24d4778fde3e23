"""Data sets that were fetched from storage, kept for the next job up to a bound.

{cache}/{key}.lock      shared while a runner trains on it, exclusive while it is made or removed
{cache}/{key}/          a complete data set
{cache}/{key}.size      how many bytes it takes, and a hash of its files' names, sizes and times of change; where these
                        are others now, somebody has changed it, and it is made anew; under {key}-anew while others
                        train on what was changed
{cache}/{key}.partial/  one in the making, or left by a runner that was killed over it
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
"""How long a changed data set is waited for: who only looks at it, or makes it anew, leaves it sooner or locks it."""
SHARE_SECONDS = 1.0
MAKE_SECONDS = 0.2

log = logging.getLogger(__name__)


class DatasetCache:
    """A folder that many runners share. Whoever is killed leaves no lock and nothing half-made under a final name."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def use(self, key: str, make: Callable[[Path], None]) -> tuple[Path, FileLock]:
        """The data set under `key`, made by `make(empty folder)` if it is not there.

        The lock keeps it from being removed; its end, or that of this process, gives it free. Raises TimeoutError
        if another runner makes it and does not get ready.
        """
        lock = FileLock(self._folder / f"{key}.lock")
        final = self._folder / key
        begun_at = time.monotonic()
        try:
            while not self._share(lock, final):
                if lock.acquire(timeout_seconds=MAKE_SECONDS):
                    self._make(key, final, make)
                elif time.monotonic() > begun_at + CHANGED_SECONDS and self._is_used_though_changed(lock, final):
                    lock.release()
                    log.warning("%s was changed while it is in use: another copy is made", final)
                    return self.use(f"{key}-anew", make)
                elif time.monotonic() > begun_at + WAIT_SECONDS:
                    raise TimeoutError(
                        f"Another job has been fetching this data set for {WAIT_SECONDS / 60:.0f} minutes."
                    )
            os.utime(lock.path)  # not `touch`, which may open the file: closing it would drop the lock
            self.remove_leftovers(keep=key)
            self._evict(keep=key, max_bytes=self._max_bytes)
        except BaseException:
            lock.release()
            raise
        return final, lock

    def _share(self, lock: FileLock, final: Path) -> bool:
        """Whether the data set is there, and held. An exclusive lock becomes a shared one without a gap."""
        if lock.acquire(timeout_seconds=SHARE_SECONDS, shared=True) and self._is_whole(final):
            return True
        lock.release()
        return False

    def _is_used_though_changed(self, lock: FileLock, final: Path) -> bool:
        """For who has just not got the lock for itself alone. Holds it together with the others."""
        return lock.acquire(shared=True) and final.exists() and not self._is_whole(final)

    def _is_whole(self, final: Path) -> bool:
        """Also after a power cut, which may leave empty files, and after somebody has cleared up or written in it.

        It costs a `stat` for each file; reading all bytes again would cost as much as fetching them.
        """
        return final.exists() and _state_of(final) == self._recorded(final.name)

    def _make(self, key: str, final: Path, make: Callable[[Path], None]) -> None:
        if self._is_whole(final):
            return
        _delete(final)
        try:
            self._fill(key, final, make)
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._free_disk(keep=key):
                raise
            self._fill(key, final, make)

    def _free_disk(self, *, keep: str) -> bool:
        """Removes everything else that nobody uses. False if there was nothing."""
        leftovers = self.remove_leftovers(keep=keep)
        return self._evict(keep=keep, max_bytes=0) > 0 or leftovers > 0

    def _fill(self, key: str, final: Path, make: Callable[[Path], None]) -> None:
        """What fails leaves nothing: a disk that is full of half a data set would take nothing else any more."""
        partial = self._folder / f"{key}.partial"
        self._delete_leftovers(key)
        try:
            partial.mkdir()
            make(partial)
            write_atomically(self._size_file(key), _state_of(partial).encode())
            partial.rename(final)
        except BaseException:
            self._delete_leftovers(key)
            raise

    def remove_leftovers(self, *, keep: str | None = None) -> int:
        """What runners that were killed have left of data sets that nobody has asked for since. Of how many."""
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
        """Removes what was unused for longest, until the rest fits, and returns how many bytes that freed.

        What is in use stays, even beyond the bound.
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
        about = path.stat()
        size += about.st_size
        state.update(
            f"{path.relative_to(folder)}\0{about.st_size}\0{about.st_mtime_ns}\n".encode(errors="surrogateescape")
        )
    return f"{size} {state.hexdigest()}"


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
