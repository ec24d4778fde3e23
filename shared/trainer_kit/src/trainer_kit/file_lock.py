"""A lock that is held at most as long as its process lives."""

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

POLL_SECONDS = 0.05


class FileLock:
    """An advisory POSIX record lock on a file.

    The kernel drops it when its process ends, however it ends, and forked children do not hold it (`flock` would be
    inherited: an orphaned data loader would keep it). It is also dropped when its process closes *any* descriptor of
    that file, and it never excludes its own process: open a lock file here only, and once in a process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, *, timeout_seconds: float = 0.0, shared: bool = False) -> bool:
        """Take the lock, or change it from exclusive to shared or back. False if another process holds it."""
        deadline = time.monotonic() + timeout_seconds
        while not self._try(fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _try(self, operation: int) -> bool:
        if self._fd is None:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            held_before = False
        else:
            held_before = True
        try:
            fcntl.lockf(self._fd, operation | fcntl.LOCK_NB)
        except OSError as error:
            if not held_before:
                self.release()
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True

    def __enter__(self) -> "FileLock":
        if not self.acquire():
            raise BlockingIOError(errno.EAGAIN, "another process holds the lock", str(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Return whether another process holds the lock. Takes it for a moment: others that try it must retry."""
    if not path.exists():
        return False
    probe = FileLock(path)
    try:
        return not probe.acquire()
    finally:
        probe.release()
