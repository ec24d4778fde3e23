"""Background worker that processes uploads and imports, one at a time, each in a process of its own."""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio.to_thread

from data_kit import ArchiveLimits, DatasetError, ObjectStore, SplitOptions, StorageError
from vision_api.config import Settings
from vision_api.datasets.processing.download import SourceDownloader
from vision_api.datasets.processing.prepare import FILES, STORED, PrepareResult
from vision_api.datasets.processing.prepare_process import Prepare, PrepareCrashed, PrepareTimedOut, prepare_in_process
from vision_api.datasets.processing.progress import Progress, Stopped
from vision_api.datasets.processing.results import ClaimedVersion, apply_failure, apply_result, release_claim
from vision_api.datasets.uploads.cleanup import delete_abandoned_uploads
from vision_api.datasets.use_cases import Origin
from vision_api.db import claims
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.background import Worker
from vision_api.kit.multipart import incoming_folder
from vision_api.models import DatasetVersion

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
REPORT_SECONDS = 1.0
CLEANUP_SECONDS = 3600.0
EXPECTED_ERRORS = (StorageError, OSError, PrepareCrashed, PrepareTimedOut)


class DatasetProcessor(Worker):
    """Worker that processes the oldest waiting version, again and again."""

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
        self._downloader = SourceDownloader(store, limits, import_roots)
        self._prepare_archive = prepare
        self._incoming = incoming
        self._database = database
        self._store = store
        self._folder = folder
        self._limits = limits
        self._next_cleanup = 0.0
        self._progress = Progress()

    async def close(self, running: "asyncio.Task[None]") -> None:
        """Stop the worker, and the work in its threads."""
        self._progress.is_stopped = True
        await super().close(running)

    async def clean_up(self) -> None:
        """Delete abandoned uploads, once an hour."""
        if asyncio.get_running_loop().time() >= self._next_cleanup:
            await delete_abandoned_uploads(self._database, self._store, self._incoming)
            self._next_cleanup = asyncio.get_running_loop().time() + CLEANUP_SECONDS

    async def process_next(self) -> bool:
        """Process one version, and return whether one was waiting."""
        async with self._database.transaction() as session:
            version = await claims.claim_oldest(session, DatasetVersion, lease_seconds=LEASE_SECONDS)
            claim = _claim(version) if version is not None else None
        if claim is None:
            return False
        log.info("processing version row %d, try %d", claim.version_id, claim.tries)
        self._folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=self._folder))
        progress = self._progress = Progress()
        try:
            await self._process(claim, work, progress)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        return True

    async def _process(self, claim: ClaimedVersion, work: Path, progress: Progress) -> None:
        result: PrepareResult | None = None
        try:
            async with self._progress_written(claim, progress):
                result = await self._prepare(claim, work, progress)
                await asyncio.to_thread(shutil.rmtree, work / FILES, ignore_errors=True)  # packed by now
                if result.summary is not None:
                    await anyio.to_thread.run_sync(self._store_files, work / STORED, progress)
        except (asyncio.CancelledError, Stopped):
            await asyncio.shield(release_claim(self._database, claim))
            raise
        except Exception as error:
            if not isinstance(error, EXPECTED_ERRORS):
                log.exception("version row %d could not be processed: an error in this program", claim.version_id)
            await apply_failure(self._database, self._store, claim, error, result.summary if result else None)
            return
        is_applied = await apply_result(self._database, self._store, claim, result)
        if is_applied and result.summary is not None:
            # The sweep could delete, until the row named them, files that an earlier data set had stored.
            await anyio.to_thread.run_sync(self._store_files, work / STORED, Progress())

    async def _prepare(self, claim: ClaimedVersion, work: Path, progress: Progress) -> PrepareResult:
        try:
            archive = await anyio.to_thread.run_sync(self._downloader.download, claim.origin, work, progress)
        except DatasetError as error:
            return PrepareResult(error.findings)
        splits = _split_options(claim.origin.split_options)
        return await self._prepare_archive(archive, work, self._limits, progress.report, splits)

    def _store_files(self, folder: Path, progress: Progress) -> None:
        sizes = {path: path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
        done = 0
        for path, size in sizes.items():
            progress.report_bytes("storing", done, sum(sizes.values()))
            key = path.relative_to(folder).as_posix()
            if not self._store.exists(self._store.uri(key)):
                self._store.put_file(path, key)
            done += size

    @asynccontextmanager
    async def _progress_written(self, claim: ClaimedVersion, progress: Progress) -> AsyncGenerator[None]:
        """Write progress while the context lasts, and no longer: a late renewal of the lease would delay a retry."""
        is_done = asyncio.Event()
        writing = asyncio.create_task(self._write_progress(claim, progress, is_done))
        try:
            yield
        finally:
            is_done.set()  # needed by a cancellation that comes out of the database's driver as DatabaseUnavailable
            writing.cancel()
            await asyncio.wait({writing})

    async def _write_progress(self, claim: ClaimedVersion, progress: Progress, is_done: asyncio.Event) -> None:
        """Write the progress into the row when it has changed, and renew the lease in time."""
        written, written_at = None, 0.0
        while not is_done.is_set():
            now = asyncio.get_running_loop().time()
            if progress.latest != written or now - written_at >= RENEW_SECONDS:
                with suppress(DatabaseUnavailable):
                    written, written_at = progress.latest, now
                    stage, percent = written
                    async with self._database.transaction() as session:
                        await claims.renew(
                            session, DatasetVersion, claim.version_id, claim.tries,
                            lease_seconds=LEASE_SECONDS, progress_stage=stage, progress_percent=percent,
                        )  # fmt: skip
            await asyncio.sleep(REPORT_SECONDS)


def _claim(version: DatasetVersion) -> ClaimedVersion:
    origin = Origin(version.upload_uri, version.upload_bytes, version.import_uri, version.split_options)
    return ClaimedVersion(version.id, version.tries, origin)


def _split_options(options: dict[str, Any] | None) -> SplitOptions | None:
    if not options:
        return None
    return SplitOptions(
        val_fraction=options.get("val_fraction"),
        test_fraction=options.get("test_fraction"),
        seed=options.get("split_seed", 0),
        is_whole=options.get("resplit", False),
    )


@asynccontextmanager
async def running_processor(
    database: Database, store: ObjectStore, settings: Settings, *, is_idle: bool = False
) -> AsyncGenerator[DatasetProcessor]:
    """Run the processor; with `is_idle` it processes nothing. A version that it is processing at the end is retried."""
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
