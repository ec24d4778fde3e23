"""A lock that lives exactly as long as the process that took it."""

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
        """Takes the lock, or changes it from exclusive to shared or back. False if another process holds it."""
        deadline = time.monotonic() + timeout_seconds
        while not self._try(fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def release(self) -> None:
        """Gives the lock back; does nothing where it is not held."""
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
    """Whether another process holds the lock. It takes the lock for a moment: who wants it must try again."""
    if not path.exists():
        return False
    probe = FileLock(path)
    try:
        return not probe.acquire()
    finally:
        probe.release()
