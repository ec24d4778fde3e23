"""Background worker that processes uploads and imports, some at a time, each in a process of its own."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ArchiveLimits, DatasetError, ObjectStore, SplitOptions
from vision_api.background.progress import Progress
from vision_api.background.worker import Worker
from vision_api.config import Settings
from vision_api.datasets.processing.download import SourceDownloader
from vision_api.datasets.processing.prepare import FILES, STORED, DatasetSummary, PrepareResult
from vision_api.datasets.processing.prepare_process import Prepare, prepare_in_process
from vision_api.datasets.processing.results import ClaimedVersion, apply_failure, apply_result
from vision_api.datasets.uploads.cleanup import delete_abandoned_uploads
from vision_api.datasets.use_cases import Origin
from vision_api.db.session import Database
from vision_api.kit.multipart import incoming_folder
from vision_api.models import DatasetVersion

CLEANUP_SECONDS = 3600.0
SMALL_BYTES = 4 * 1024 * 1024
"""Size of uploads for which one place is kept: they take seconds."""
MOST_AT_ONCE = 8
"""Number of versions in work at the same time, at most; fewer on fewer cores."""


def versions_at_once() -> int:
    """Return a place for each core, and one more for small uploads."""
    return min((os.cpu_count() or 1) + 1, MOST_AT_ONCE)


class DatasetProcessor(Worker[DatasetVersion, ClaimedVersion, PrepareResult]):
    """Worker that processes the next waiting version, again and again."""

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
        at_once: int = 1,
    ) -> None:
        super().__init__(database, DatasetVersion, folder, at_once=at_once)
        self._downloader = SourceDownloader(store, limits, import_roots)
        self._prepare_archive = prepare
        self._incoming = incoming
        self._store = store
        self._limits = limits
        self._next_cleanup = 0.0
        self._storing: dict[tuple[int, int], DatasetSummary] = {}
        """Summaries whose files may be stored in part, by claim."""

    def small_rows(self) -> ColumnElement[bool]:
        """Return the condition of small uploads. An import may be of any size."""
        return DatasetVersion.upload_bytes.between(1, SMALL_BYTES)

    async def clean_up(self) -> None:
        """Delete abandoned uploads, once an hour."""
        if asyncio.get_running_loop().time() >= self._next_cleanup:
            await delete_abandoned_uploads(self._database, self._store, self._incoming)
            self._next_cleanup = asyncio.get_running_loop().time() + CLEANUP_SECONDS

    async def read_claim(self, session: AsyncSession, row: DatasetVersion) -> ClaimedVersion:
        """Return the claim on a version, with the origin of its files."""
        del session
        origin = Origin(row.upload_uri, row.upload_bytes, row.import_uri, row.split_options)
        return ClaimedVersion(row.id, row.tries, origin)

    async def work(self, claim: ClaimedVersion, folder: Path, progress: Progress) -> PrepareResult:
        """Fetch, check and store the files of a version."""
        self._storing.pop(claim.key, None)
        result = await self._prepare(claim, folder, progress)
        await asyncio.to_thread(shutil.rmtree, folder / FILES, ignore_errors=True)  # packed by now
        if result.summary is not None:
            self._storing[claim.key] = result.summary
            await anyio.to_thread.run_sync(self._store_files, folder / STORED, progress)
        return result

    async def apply_result(self, claim: ClaimedVersion, result: PrepareResult, folder: Path) -> None:
        """Write the result into the row."""
        self._storing.pop(claim.key, None)
        is_applied = await apply_result(self._database, self._store, claim, result)
        if is_applied and result.summary is not None:
            # The sweep could delete, until the row named them, files that an earlier data set had stored.
            await anyio.to_thread.run_sync(self._store_files, folder / STORED, Progress())

    async def apply_error(self, claim: ClaimedVersion, error: Exception) -> None:
        """Retry later, or mark the version as failed."""
        await apply_failure(self._database, self._store, claim, error, self._storing.pop(claim.key, None))

    def progress_columns(self, progress: Progress) -> Mapping[str, Any]:
        """Return the columns that show the progress."""
        stage, percent = progress.latest
        return {"progress_stage": stage, "progress_percent": percent}

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
async def running_processor(database: Database, store: ObjectStore, settings: Settings) -> AsyncGenerator[None]:
    """Run the processor. Versions that it is processing at the end are retried."""
    folder = settings.data_dir / "processing"
    processor = DatasetProcessor(
        database, store, folder, ArchiveLimits(),
        incoming=incoming_folder(settings), import_roots=settings.dataset_roots, at_once=versions_at_once(),
    )  # fmt: skip
    async with processor.running():
        yield
