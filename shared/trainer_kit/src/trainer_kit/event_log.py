"""An attempt's events on disk: one JSON object a line; the event with `seq` n is line n.

One process writes (the holder of the attempt's lock), any number read. A line counts once its line break is written,
so that a kill in the middle of a write loses that line and nothing else.
"""

import errno
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from vision_contracts import TERMINAL_TYPES, EventBody, JobEvent

DURABLE_TYPES = TERMINAL_TYPES | {"checkpoint", "artifact"}
READ_BYTES = 1 << 20
RESERVE_BYTES = 1 << 16


class EventLog:
    """The writer of an event log. Safe to use from several threads."""

    def __init__(self, path: Path, attempt: int, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._attempt = attempt
        self._now = now
        self._mutex = threading.Lock()
        self._reserve = path.with_name(".reserve")
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._seq, last = _repair(self._fd)
        self._ended = last is not None and last.is_terminal
        if not self._ended:
            self._reserve_space()

    @property
    def last_seq(self) -> int:
        return self._seq

    @property
    def has_ended(self) -> bool:
        """True once a terminal event is written; nothing will be appended any more."""
        return self._ended

    def append(self, body: EventBody) -> JobEvent | None:
        """Number, date and write an event. After a terminal event it does nothing and returns None.

        Raises OSError if the disk takes nothing more.
        """
        with self._mutex:
            if self._ended:
                return None
            event = JobEvent(seq=self._seq + 1, attempt=self._attempt, time=self._now(), body=body)
            self._write(event.to_line().encode() + b"\n", is_terminal=event.is_terminal)
            self._seq += 1
            if body.type in DURABLE_TYPES:
                os.fsync(self._fd)
            if event.is_terminal:
                self._ended = True
                self._reserve.unlink(missing_ok=True)
            return event

    def close(self) -> None:
        os.close(self._fd)

    def _write(self, line: bytes, *, is_terminal: bool) -> None:
        size = os.fstat(self._fd).st_size
        try:
            _write_all(self._fd, line)
        except OSError as error:
            os.ftruncate(self._fd, size)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not is_terminal:
                raise
            self._reserve.unlink(missing_ok=True)  # the space that was reserved for this event
            _write_all(self._fd, line)

    def _reserve_space(self) -> None:
        try:
            self._reserve.write_bytes(b"\0" * RESERVE_BYTES)
        except OSError:
            self._reserve.unlink(missing_ok=True)


class EventReader:
    """A reader that follows an event log from any number on. A missing file is an empty log."""

    def __init__(self, path: Path, *, after: int = 0) -> None:
        self._path = path
        self._to_skip = after
        self._offset = 0

    def read(self) -> list[bytes]:
        """Return the complete lines since the last call, up to about a megabyte of them."""
        while True:
            chunk = self._read_chunk()
            lines = chunk.splitlines(keepends=True)
            self._offset += len(chunk)
            skipped = min(self._to_skip, len(lines))
            self._to_skip -= skipped
            if skipped < len(lines) or not lines:
                return lines[skipped:]

    def _read_chunk(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read(READ_BYTES)
                while chunk and (end := chunk.rfind(b"\n")) < 0 and (more := file.read(READ_BYTES)):
                    chunk += more
        except FileNotFoundError:
            return b""
        end = chunk.rfind(b"\n")
        return chunk[: end + 1]


def last_event(path: Path) -> JobEvent | None:
    """Return the newest complete event, or None."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return _last_event(fd)[1]
    finally:
        os.close(fd)


def _repair(fd: int) -> tuple[int, JobEvent | None]:
    """Cut off an incomplete last line. Returns the last number and the last event."""
    end, event = _last_event(fd)
    os.ftruncate(fd, end)
    return (event.seq if event else 0), event


def _last_event(fd: int) -> tuple[int, JobEvent | None]:
    """Return the end of the last complete line, and its event. Unreadable lines, as after a power cut, do not count."""
    size = os.fstat(fd).st_size
    window = 1 << 16
    while True:
        start = max(0, size - window)
        lines = os.pread(fd, size - start, start).splitlines(keepends=True)
        end = size
        for line in reversed(lines[1:] if start else lines):
            if line.endswith(b"\n") and (event := _parse(line)) is not None:
                return end, event
            end -= len(line)
        if start == 0:
            return 0, None
        window *= 4


def _parse(line: bytes) -> JobEvent | None:
    try:
        return JobEvent.from_line(line)
    except ValueError:
        return None


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
