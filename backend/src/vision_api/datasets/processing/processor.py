"""Processes uploads and imports in the background, one at a time, each in a process of its own."""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread

from data_kit import ArchiveLimits, DatasetError, ObjectStore, SplitOptions, StorageError
from vision_api.config import Settings
from vision_api.datasets import repository
from vision_api.datasets.processing.download import SourceDownloader
from vision_api.datasets.processing.prepare import FILES, STORED, Prepared
from vision_api.datasets.processing.prepare_process import Prepare, PrepareCrashed, PrepareTimedOut, prepare_in_process
from vision_api.datasets.processing.progress import Progress, Stopped
from vision_api.datasets.processing.results import ClaimedVersion, apply_failure, apply_prepared, release_claim
from vision_api.datasets.uploads.tus import repository as resumable
from vision_api.datasets.uploads.tus.use_cases import discard_parts
from vision_api.datasets.use_cases import Origin
from vision_api.db import claims
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.background import Worker
from vision_api.kit.clock import utc_now
from vision_api.models import DatasetVersion
from vision_api.storage_layout import UPLOADS, parts_folder

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
TELL_SECONDS = 1.0
CLEAN_UP_SECONDS = 3600.0
FORGOTTEN_AFTER = timedelta(days=1)
FORESEEN = (StorageError, OSError, PrepareCrashed, PrepareTimedOut)


class DatasetProcessor(Worker):
    """Takes the oldest upload that waits, again and again."""

    name = "data sets"

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        folder: Path,
        limits: ArchiveLimits,
        prepare: Prepare = prepare_in_process,
        *,
        incoming: Path | None = None,
        import_roots: tuple[Path, ...] = (),
    ) -> None:
        super().__init__()
        self._fetcher = SourceDownloader(store, limits, import_roots)
        self._prepare_archive = prepare
        self._incoming = incoming
        self._database = database
        self._store = store
        self._folder = folder
        self._limits = limits
        self._next_clean_up = 0.0
        self._progress = Progress()

    async def close(self, running: "asyncio.Task[None]") -> None:
        """As any worker; threads hear of it too."""
        self._progress.is_stopped = True
        await super().close(running)

    async def clean_up(self) -> None:
        """Now and then."""
        if asyncio.get_running_loop().time() >= self._next_clean_up:
            await self.delete_abandoned_uploads()
            self._next_clean_up = asyncio.get_running_loop().time() + CLEAN_UP_SECONDS

    async def process_next(self) -> bool:
        """Process one upload; whether there was one."""
        async with self._database.transaction() as session:
            version = await claims.claim_oldest(session, DatasetVersion, lease_seconds=LEASE_SECONDS)
            claim = _claim(version) if version is not None else None
        if claim is None:
            return False
        log.info("processing version row %d, try %d", claim.version_id, claim.tries)
        self._folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=self._folder))
        progress = self._progress = Progress()
        telling = asyncio.create_task(self._tell(claim, progress))
        try:
            await self._process(claim, work, progress)
        finally:
            telling.cancel()
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        return True

    async def _process(self, claim: ClaimedVersion, work: Path, progress: Progress) -> None:
        prepared: Prepared | None = None
        try:
            prepared = await self._prepare(claim, work, progress)
            await asyncio.to_thread(shutil.rmtree, work / FILES, ignore_errors=True)  # packed by now
            if prepared.facts is not None:
                await anyio.to_thread.run_sync(self._store_files, work / STORED, progress)
        except (asyncio.CancelledError, Stopped):
            await asyncio.shield(release_claim(self._database, claim))
            raise
        except Exception as error:
            if not isinstance(error, FORESEEN):
                log.exception("version row %d met a defect of ours", claim.version_id)
            await apply_failure(self._database, self._store, claim, error, prepared.facts if prepared else None)
            return
        is_applied = await apply_prepared(self._database, self._store, claim, prepared)
        if is_applied and prepared.facts is not None:
            # Until its row named them, the sweep could delete files that were there from a data set before.
            await anyio.to_thread.run_sync(self._store_files, work / STORED, Progress())

    async def _prepare(self, claim: ClaimedVersion, work: Path, progress: Progress) -> Prepared:
        try:
            archive = await anyio.to_thread.run_sync(self._fetcher.fetch, claim.origin, work, progress)
        except DatasetError as error:
            return Prepared(error.findings)
        splits = _split_options(claim.origin.split_options)
        return await self._prepare_archive(archive, work, self._limits, progress.tell, splits)

    def _store_files(self, folder: Path, progress: Progress) -> None:
        sizes = {path: path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
        done = 0
        for path, size in sizes.items():
            progress.tell_bytes("storing", done, sum(sizes.values()))
            key = path.relative_to(folder).as_posix()
            if not self._store.exists(self._store.uri(key)):
                self._store.put_file(path, key)
            done += size

    async def _tell(self, claim: ClaimedVersion, progress: Progress) -> None:
        """Write down how far it is when that has changed, and now and then that somebody is at it."""
        told, told_at = None, 0.0
        while True:
            now = asyncio.get_running_loop().time()
            if progress.now != told or now - told_at >= RENEW_SECONDS:
                with suppress(DatabaseUnavailable):
                    told, told_at = progress.now, now
                    stage, percent = told
                    async with self._database.transaction() as session:
                        await claims.renew(
                            session, DatasetVersion, claim.version_id, claim.tries,
                            lease_seconds=LEASE_SECONDS, progress_stage=stage, progress_percent=percent,
                        )  # fmt: skip
            await asyncio.sleep(TELL_SECONDS)

    async def delete_abandoned_uploads(self) -> None:
        """Delete uploads that nobody goes on with, and those that no row names: their request ended between storing
        and writing the row, or before.
        """
        async with self._database.transaction() as session:
            await discard_parts(session, self._store, await resumable.remove_expired(session))
        before = utc_now() - FORGOTTEN_AFTER
        if self._incoming is not None:
            await asyncio.to_thread(_delete_old_files, self._incoming, before)
        found = await anyio.to_thread.run_sync(lambda: list(self._store.list(UPLOADS)))
        old = {item.uri for item in found if item.modified_at < before}
        if not old:
            return
        async with self._database.snapshot() as session:
            needed = await repository.list_upload_uris(session)
            needed |= {parts_folder(self._store, each) for each in await resumable.list_upload_ids(session)}
        for uri in (uri for uri in old if needed.isdisjoint((uri, uri.rpartition("/")[0] + "/"))):
            await anyio.to_thread.run_sync(self._store.delete, uri)


def _claim(version: DatasetVersion) -> ClaimedVersion:
    origin = Origin(version.upload_uri, version.upload_bytes, version.import_uri, version.split_options)
    return ClaimedVersion(version.id, version.tries, origin)


def _split_options(asked: dict[str, Any] | None) -> SplitOptions | None:
    if not asked:
        return None
    return SplitOptions(
        val_fraction=asked.get("val_fraction"),
        test_fraction=asked.get("test_fraction"),
        seed=asked.get("split_seed", 0),
        is_whole=asked.get("resplit", False),
    )


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
    processor = DatasetProcessor(
        database, store, folder, ArchiveLimits(),
        incoming=incoming_folder(settings), import_roots=settings.dataset_roots,
    )  # fmt: skip
    if is_idle:
        yield processor
        return
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    if database.is_sqlite:
        async with database.transaction() as session:
            await claims.release_all(session, DatasetVersion, progress_stage=None, progress_percent=None)
    async with processor.running():
        yield processor
