"""Process that prepares an archive, and its end when it makes no progress."""

import asyncio
import errno
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from data_kit import ArchiveLimits, SplitOptions
from vision_api.datasets.processing import prepare
from vision_api.datasets.processing.prepare import RESULT_FILE, PrepareResult, ReportProgress
from vision_api.db.network_guard import forbid_in_session

IDLE_SECONDS = 600.0
"""Longest time without progress. No file, and no step between two files, takes so long."""
MAX_SECONDS = 12 * 3600.0
"""Longest time in all. A million images take two hours, and other uploads wait meanwhile."""

Prepare = Callable[[Path, Path, ArchiveLimits, ReportProgress, SplitOptions | None], Awaitable[PrepareResult]]
"""Asynchronous form of `prepare.prepare_archive`."""

_progress_json: TypeAdapter[tuple[str, int | None]] = TypeAdapter(tuple[str, int | None])


class PrepareCrashed(Exception):
    """The process ended without a result, for lack of memory for example."""


class PrepareTimedOut(Exception):
    """The process was killed: it made no progress, or took too long."""


async def prepare_in_process(
    archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None = None
) -> PrepareResult:
    """Prepare an archive in a process that ends with this one; Ctrl-C in the terminal does not reach it.

    Raises PrepareCrashed, PrepareTimedOut, OSError.
    """
    options = [prepare.limits_json.dump_json(limits).decode(), prepare.splits_json.dump_json(splits).decode()]
    forbid_in_session("a process")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", prepare.__name__, str(archive), str(folder), *options,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        await _forward_progress(process, report)
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if process.returncode == prepare.DISK_FULL:
        raise OSError(errno.ENOSPC, "No space left to unpack a data set")
    if process.returncode != 0:
        raise PrepareCrashed(f"exit code {process.returncode}")
    return prepare.result_json.validate_json(await asyncio.to_thread(Path(folder, RESULT_FILE).read_bytes))


async def _forward_progress(process: asyncio.subprocess.Process, report: ReportProgress) -> None:
    """Report the progress of the process until it ends. Raises PrepareTimedOut."""
    assert process.stdout is not None  # noqa: S101 - a pipe, as the process is started
    idle = asyncio.timeout(IDLE_SECONDS)
    try:
        async with asyncio.timeout(MAX_SECONDS), idle:
            async for line in process.stdout:
                idle.reschedule(asyncio.get_running_loop().time() + IDLE_SECONDS)
                with suppress(ValidationError):  # a line of some library's
                    report(*_progress_json.validate_json(line))
            await process.wait()
    except TimeoutError as error:
        limit = f"made no progress for {IDLE_SECONDS:g} s" if idle.expired() else f"took longer than {MAX_SECONDS:g} s"
        raise PrepareTimedOut(f"The check {limit}") from error
