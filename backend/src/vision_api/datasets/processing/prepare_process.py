"""Preparation of an archive in a process, which ends when it makes no progress."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from data_kit import ArchiveLimits, SplitOptions
from vision_api.background.confinement import ONE_THREAD
from vision_api.background.process import Command, Limits, ProcessCrashed, run_process
from vision_api.datasets.processing import prepare
from vision_api.datasets.processing.prepare import RESULT_FILE, PrepareResult, ReportProgress

IDLE_SECONDS = 600.0
"""Longest time without progress. No file, and no step between two files, takes so long."""
MAX_SECONDS = 12 * 3600.0
"""Longest time in all. A million images take two hours; the place is not free meanwhile."""

Prepare = Callable[[Path, Path, ArchiveLimits, ReportProgress, SplitOptions | None], Awaitable[PrepareResult]]
"""Asynchronous form of `prepare.prepare_archive`."""

_progress_json: TypeAdapter[tuple[str, int | None]] = TypeAdapter(tuple[str, int | None])


async def prepare_in_process(
    archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None = None
) -> PrepareResult:
    """Prepare an archive in a process. Raises ProcessCrashed, ProcessTimedOut, OSError."""
    options = prepare.limits_json.dump_json(limits).decode(), prepare.splits_json.dump_json(splits).decode()

    def forward(line: bytes) -> None:
        with suppress(ValidationError):  # a line of some library's
            report(*_progress_json.validate_json(line))

    command = Command(prepare.__name__, (str(archive), str(folder), *options), values=ONE_THREAD)
    try:
        await run_process(command, Limits(MAX_SECONDS, IDLE_SECONDS), forward)
    except ProcessCrashed as error:
        if error.exit_code == prepare.DISK_FULL:
            raise OSError(errno.ENOSPC, "No space left to unpack a data set") from error
        raise
    return prepare.result_json.validate_json(await asyncio.to_thread(Path(folder, RESULT_FILE).read_bytes))
