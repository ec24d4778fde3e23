"""Processes uploads in the background, one at a time, each in a process of its own.

The row is the truth: whoever is killed over one leaves it `processing`, and it is taken up again when its lease ends.
"""

import asyncio
import errno
import logging
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import anyio.to_thread

from data_kit import ArchiveLimits, ObjectNotFound, ObjectStore, SplitOptions, StorageError
from vision_api.config import Settings
from vision_api.datasets import preparing, repository
from vision_api.datasets.layout import UPLOADS
from vision_api.datasets.outcomes import Claim, apply_prepared, apply_trouble, give_back, make_claim
from vision_api.datasets.preparing import STORED, Prepared
from vision_api.db.base import database_now
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.clock import utc_now

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
CLEAN_UP_SECONDS = 3600.0
FORGOTTEN_AFTER = timedelta(days=1)


Prepare = Callable[[Path, Path, ArchiveLimits, SplitOptions | None], Awaitable[Prepared]]
"""See `preparing.prepare_archive`."""


class PreparingDied(Exception):
    """The process ended without an answer, for lack of memory say."""


async def prepare_in_process(
    archive: Path, folder: Path, limits: ArchiveLimits, splits: SplitOptions | None = None
) -> Prepared:
    """In a process that ends with us; Ctrl-C in the terminal does not reach it. Raises PreparingDied, OSError."""
    options = [preparing.limits_json.dump_json(limits).decode(), preparing.splits_json.dump_json(splits).decode()]
    arguments = ["-m", preparing.__name__, str(archive), str(folder), *options]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if process.returncode == preparing.DISK_FULL:
        raise OSError(errno.ENOSPC, "No space left to unpack a data set")
    if process.returncode != 0:
        raise PreparingDied(f"exit code {process.returncode}")
    return preparing.prepared_json.validate_json(output)


class DatasetProcessor:
    """Takes the oldest upload that waits, again and again."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        folder: Path,
        limits: ArchiveLimits,
        prepare: Prepare = prepare_in_process,
        *,
        incoming: Path | None = None,
    ) -> None:
        self._prepare_archive = prepare
        self._incoming = incoming
        self._database = database
        self._store = store
        self._folder = folder
        self._limits = limits
        self._wakeup = asyncio.Event()
        self._is_closing = False

    def wake(self) -> None:
        """There is a new upload."""
        self._wakeup.set()

    async def close(self, running: "asyncio.Task[None]") -> None:
        """End `run`, also in the middle of an upload.

        The flag is for a cancellation that meets the database's driver in a statement, and comes out as its error.
        """
        self._is_closing = True
        self._wakeup.set()
        running.cancel()
        await asyncio.wait({running})

    async def run(self) -> None:
        """Until `close`."""
        next_clean_up = 0.0
        while not self._is_closing:
            try:
                while not self._is_closing and await self.process_next():
                    pass
                if asyncio.get_running_loop().time() >= next_clean_up:
                    await self.remove_forgotten_uploads()
                    next_clean_up = asyncio.get_running_loop().time() + CLEAN_UP_SECONDS
            except (DatabaseUnavailable, StorageError) as error:
                log.warning("data sets wait: %s", error)
            except Exception:
                log.exception("processing data sets failed in this round")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wakeup.wait()
            self._wakeup.clear()

    async def process_next(self) -> bool:
        """Process one upload; whether there was one."""
        async with self._database.transaction() as session:
            version = await repository.claim_version(session, lease_seconds=LEASE_SECONDS)
            claim = make_claim(version) if version is not None else None
        if claim is None:
            return False
        log.info("processing version row %d, try %d", claim.version_id, claim.tries)
        self._folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=self._folder))
        renewing = asyncio.create_task(self._renew(claim))
        try:
            await self._process(claim, work)
        finally:
            renewing.cancel()
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        return True

    async def _process(self, claim: Claim, work: Path) -> None:
        try:
            prepared = await self._prepare(claim, work)
            if prepared.facts is not None:
                await anyio.to_thread.run_sync(self._store_files, work / STORED)
        except (StorageError, OSError, PreparingDied) as error:
            await apply_trouble(self._database, claim, error)
            return
        except asyncio.CancelledError:
            await asyncio.shield(give_back(self._database, claim))
            raise
        is_applied = await apply_prepared(self._database, self._store, claim, prepared)
        if is_applied and prepared.facts is not None:
            # Until its row named them, the sweep could delete files that were there from a data set before.
            await anyio.to_thread.run_sync(self._store_files, work / STORED)

    async def _prepare(self, claim: Claim, work: Path) -> Prepared:
        archive = self._store.local_path(claim.upload_uri)
        if archive is None:
            archive = work / "upload.zip"
            await anyio.to_thread.run_sync(self._store.get_file, claim.upload_uri, archive)
        elif not archive.exists():
            raise ObjectNotFound(f"There is no object {claim.upload_uri}.")
        return await self._prepare_archive(archive, work, self._limits, claim.splits)

    def _store_files(self, folder: Path) -> None:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            key = path.relative_to(folder).as_posix()
            if not self._store.exists(self._store.uri(key)):
                self._store.put_file(path, key)

    async def _renew(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(DatabaseUnavailable):
                async with self._database.transaction() as session:
                    version = await repository.lock_claimed(session, claim.version_id, claim.tries)
                    if version is not None:
                        version.lease_expires_at = database_now(LEASE_SECONDS)

    async def remove_forgotten_uploads(self) -> None:
        """Delete uploads that no row names: their request ended between storing and writing the row, or before."""
        before = utc_now() - FORGOTTEN_AFTER
        if self._incoming is not None:
            await asyncio.to_thread(_delete_old_files, self._incoming, before)
        found = await anyio.to_thread.run_sync(lambda: list(self._store.list(UPLOADS)))
        old = {item.uri for item in found if item.modified_at < before}
        if not old:
            return
        async with self._database.snapshot() as session:
            needed = await repository.list_upload_uris(session)
        for uri in old - needed:
            await anyio.to_thread.run_sync(self._store.delete, uri)


def incoming_folder(settings: Settings) -> Path:
    """Where files wait until all of them has arrived. Whoever is killed over one leaves it there."""
    return settings.data_dir / "uploads"


def _delete_old_files(folder: Path, before: datetime) -> None:
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before.timestamp():
                path.unlink()


@asynccontextmanager
async def running_processor(
    database: Database, store: ObjectStore, settings: Settings, *, is_idle: bool = False
) -> AsyncGenerator[DatasetProcessor]:
    """The processor at work; with `is_idle` it only takes notice. What it is at when it ends is done again later."""
    folder = settings.data_dir / "processing"
    processor = DatasetProcessor(database, store, folder, ArchiveLimits(), incoming=incoming_folder(settings))
    if is_idle:
        yield processor
        return
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    if database.is_sqlite:
        async with database.transaction() as session:
            await repository.release_versions(session)
    task = asyncio.create_task(processor.run(), name="datasets")
    try:
        yield processor
    finally:
        await processor.close(task)
