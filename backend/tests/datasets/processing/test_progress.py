"""Progress of processing: written into the row, and stopped on request."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from support.dataset_api import DatasetApi, coins, processor_with, version_of

from data_kit import ArchiveLimits, SplitOptions
from vision_api.background import repository, worker
from vision_api.background.progress import Progress, Stopped
from vision_api.datasets.processing import processor as processor_module
from vision_api.datasets.processing import results
from vision_api.datasets.processing.download import SourceDownloader
from vision_api.datasets.processing.prepare import PrepareResult, ReportProgress, prepare_archive
from vision_api.datasets.processing.prepare_process import prepare_in_process
from vision_api.datasets.use_cases import Origin
from vision_api.db.session import Database
from vision_api.platform import platform_of


async def test_the_stage_and_its_percent_are_shown_while_a_version_is_processed(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "REPORT_SECONDS", 0.0)
    seen: list[Any] = []

    async def slow(
        archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None
    ) -> PrepareResult:
        for stage, percent in (("unpacking", 30), ("checking", None)):
            report(stage, percent)
            expected = {"stage": stage, "percent": percent}
            while seen[-1:] != [expected]:
                seen.append((await api.get()).json()[0]["progress"])
        return prepare_archive(archive, folder, limits, report)

    await api.upload(coins())
    assert await processor_with(app, tmp_path, slow).process_next()

    assert {"stage": "unpacking", "percent": 30} in seen
    version = await version_of(database)
    assert (version.status, version.progress_stage, version.progress_percent) == ("ready", None, None)


async def test_progress_is_no_longer_written_once_a_failure_is_applied(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late renewal of the lease would delay the next try."""
    is_writing, is_cancelled = asyncio.Event(), asyncio.Event()

    async def renew(*arguments: Any, **values: Any) -> None:
        is_writing.set()
        try:
            await asyncio.Event().wait()
        finally:
            is_cancelled.set()

    async def defective(
        archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None
    ) -> PrepareResult:
        await is_writing.wait()
        raise RuntimeError("Symlink loop")

    async def apply_failure(*arguments: Any) -> None:
        assert is_cancelled.is_set()
        await results.apply_failure(*arguments)

    monkeypatch.setattr(repository, "renew", renew)
    monkeypatch.setattr(processor_module, "apply_failure", apply_failure)
    await api.upload(coins())

    assert await processor_with(app, tmp_path, defective).process_next()
    assert (await version_of(database)).tries == 1


async def test_the_process_reports_its_progress(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(coins())
    reported: list[tuple[str, int | None]] = []

    await prepare_in_process(archive, tmp_path, ArchiveLimits(), lambda *one: reported.append(one))

    assert reported[0] == ("unpacking", 0)
    checking = [percent or 0 for stage, percent in reported if stage == "checking"]
    assert (checking[0], checking[-1]) == (0, 100)
    assert len(checking) > 10
    assert checking == sorted(checking)


def test_a_download_ends_once_it_is_stopped(tmp_path: Path, app: FastAPI) -> None:
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"a")
    progress = Progress()
    progress.is_stopped = True
    downloader = SourceDownloader(platform_of(app).store, ArchiveLimits(), (folder,))

    with pytest.raises(Stopped):
        downloader.download(Origin(import_uri=folder.as_uri()), tmp_path, progress)
