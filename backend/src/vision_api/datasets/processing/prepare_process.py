"""Prepares an archive in a process of its own, and ends that process when it gets nowhere."""

import asyncio
import errno
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from data_kit import ArchiveLimits, SplitOptions
from vision_api.datasets.processing import prepare
from vision_api.datasets.processing.prepare import PREPARED, Prepared, Tell
from vision_api.datasets.processing.progress import hear
from vision_api.db.network_guard import forbid_in_session

SILENT_SECONDS = 600.0
"""No file, and no step between two files, takes so long."""
LONGEST_SECONDS = 12 * 3600.0
"""A million images take two hours; and the next one's upload waits."""

Prepare = Callable[[Path, Path, ArchiveLimits, Tell, SplitOptions | None], Awaitable[Prepared]]
"""See `prepare.prepare_archive`."""


class PrepareCrashed(Exception):
    """The process ended without an answer, for lack of memory say."""


class PrepareTimedOut(Exception):
    """The process was ended: it got on no more, or would never have come to an end."""


async def prepare_in_process(
    archive: Path, folder: Path, limits: ArchiveLimits, tell: Tell, splits: SplitOptions | None = None
) -> Prepared:
    """In a process that ends with us; Ctrl-C in the terminal does not reach it.

    Raises PrepareCrashed, PrepareTimedOut, OSError.
    """
    options = [prepare.limits_json.dump_json(limits).decode(), prepare.splits_json.dump_json(splits).decode()]
    forbid_in_session("a process")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", prepare.__name__, str(archive), str(folder), *options,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        await _hear_out(process, tell)
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if process.returncode == prepare.DISK_FULL:
        raise OSError(errno.ENOSPC, "No space left to unpack a data set")
    if process.returncode != 0:
        raise PrepareCrashed(f"exit code {process.returncode}")
    return prepare.prepared_json.validate_json(await asyncio.to_thread(Path(folder, PREPARED).read_bytes))


async def _hear_out(process: asyncio.subprocess.Process, tell: Tell) -> None:
    """Until it ends. Raises PrepareTimedOut."""
    assert process.stdout is not None  # noqa: S101 - as it is started
    silence = asyncio.timeout(SILENT_SECONDS)
    try:
        async with asyncio.timeout(LONGEST_SECONDS), silence:
            async for line in process.stdout:
                silence.reschedule(asyncio.get_running_loop().time() + SILENT_SECONDS)
                hear(line, tell)
            await process.wait()
    except TimeoutError as error:
        what = f"for {SILENT_SECONDS:g} s without getting on" if silence.expired() else f"for {LONGEST_SECONDS:g} s"
        raise PrepareTimedOut(f"It was at it {what}") from error
