"""What the trainer prints: kept in a file, told as log events, and remembered for the error message."""

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
    """Reads a stream to its end. A flood of lines is thinned out in the events, and bounded in the file."""

    def __init__(self, file: Path, tell: Callable[[Log], object], clock: Callable[[], float]) -> None:
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._path = file
        self._tell = tell
        self._clock = clock
        self._allowance = BURST_LINES
        self._asked_at = clock()
        self._left_out = 0
        self._file_is_full = False

    def read(self, stream: IO[bytes]) -> None:
        """Returns at the stream's end."""
        with self._path.open("ab", buffering=0) as file:
            while line := stream.readline(MAX_LINE_BYTES):
                self._keep(file, line)
                self._take(line)
        self._tell_what_was_left_out()

    def _keep(self, file: IO[bytes], line: bytes) -> None:
        if self._file_is_full:
            return
        file.write(line)
        if file.tell() >= MAX_FILE_BYTES:
            self._file_is_full = True
            file.write(f"\n… what comes after {MAX_FILE_BYTES:,} bytes is not kept\n".encode())

    def _take(self, line: bytes) -> None:
        # A progress bar writes over its own line: what stands there at the end is what counts.
        text = line.decode(errors="replace").rstrip("\r\n").rpartition("\r")[2].rstrip()
        if not text:
            return
        self.last_lines.append(text)
        if self._may_tell():
            self._tell_what_was_left_out()
            self._tell(Log(message=text))
        else:
            self._left_out += 1

    def _may_tell(self) -> bool:
        now = self._clock()
        self._allowance = min(BURST_LINES, self._allowance + (now - self._asked_at) * LINES_PER_SECOND)
        self._asked_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _tell_what_was_left_out(self) -> None:
        if self._left_out:
            message = f"{self._left_out:,} lines are left out here; the artifact logs/output.log has them."
            self._left_out = 0
            self._tell(Log(level=LogLevel.WARNING, message=message))
