"""Capture of the trainer's output: to a file, as log events, and its last lines for the error message."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

from vision_contracts import Log, LogLevel

MAX_LINE_BYTES = 4_000
MAX_FILE_BYTES = 64 * 2**20
LINES_PER_SECOND = 100.0
BURST_LINES = 1_000.0
LAST_LINES = 20


class OutputCapture:
    """Reads a stream to its end. The events are limited in rate, and the file in size."""

    def __init__(self, file: Path, report: Callable[[Log], object], clock: Callable[[], float]) -> None:
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._path = file
        self._report = report
        self._clock = clock
        self._allowance = BURST_LINES
        self._refilled_at = clock()
        self._dropped = 0
        self._file_is_full = False

    def read(self, stream: IO[bytes]) -> None:
        """Read until the stream's end."""
        with self._path.open("ab", buffering=0) as file:
            while line := stream.readline(MAX_LINE_BYTES):
                self._keep(file, line)
                self._process(line)
        self._report_dropped_lines()

    def _keep(self, file: IO[bytes], line: bytes) -> None:
        if self._file_is_full:
            return
        file.write(line)
        if file.tell() >= MAX_FILE_BYTES:
            self._file_is_full = True
            file.write(f"\n… output after {MAX_FILE_BYTES:,} bytes is not kept\n".encode())

    def _process(self, line: bytes) -> None:
        # A progress bar overwrites its own line: only the final text counts.
        text = line.decode(errors="replace").rstrip("\r\n").rpartition("\r")[2].rstrip()
        if not text:
            return
        self.last_lines.append(text)
        if self._may_report():
            self._report_dropped_lines()
            self._report(Log(message=text))
        else:
            self._dropped += 1

    def _may_report(self) -> bool:
        now = self._clock()
        self._allowance = min(BURST_LINES, self._allowance + (now - self._refilled_at) * LINES_PER_SECOND)
        self._refilled_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _report_dropped_lines(self) -> None:
        if self._dropped:
            message = f"{self._dropped:,} lines are left out here; the artifact logs/output.log has them."
            self._dropped = 0
            self._report(Log(level=LogLevel.WARNING, message=message))
