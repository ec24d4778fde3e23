"""Processing of uploads in the background: each once, also after crashes and restarts."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import update
from support.dataset_api import DatasetApi, coins, prepare_in_thread, processor_with, version_of

from data_kit import ArchiveLimits, SplitOptions
from vision_api.background import worker
from vision_api.background.repository import claim_next
from vision_api.config import Settings
from vision_api.datasets.processing import prepare, prepare_process, results
from vision_api.datasets.processing.prepare import PrepareResult, ReportProgress
from vision_api.datasets.processing.prepare_process import prepare_in_process
from vision_api.datasets.processing.processor import DatasetProcessor, running_processor
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import DatasetVersion
from vision_api.platform import platform_of
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.streaming import change_watcher


async def test_an_upload_is_processed_in_a_process_of_its_own(api: DatasetApi, app: FastAPI, tmp_path: Path) -> None:
    dataset = (await api.upload(coins())).json()

    assert await processor_with(app, tmp_path, prepare_in_process).process_next()

    assert (await api.get(f"/{dataset['id']}")).json()["status"] == "ready"
    assert list((tmp_path / "work").iterdir()) == []


async def test_an_upload_that_crashes_the_process_fails_after_some_tries(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RETRY_SECONDS", (0.0, 0.0))
    await api.upload(coins())

    monkeypatch.setattr(prepare, "__name__", "a_module_that_is_not_there")
    processor = processor_with(app, tmp_path, prepare_in_process)
    for tries in (1, 2):
        assert await processor.process_next()
        version = await version_of(database)
        assert (version.status, version.tries) == ("processing", tries)
    assert await processor.process_next()

    assert (await version_of(database)).status == "failed"
    assert not await processor.process_next()


@pytest.mark.parametrize("limit", ["IDLE_SECONDS", "MAX_SECONDS"])
async def test_an_upload_that_takes_too_long_fails(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(prepare_process, limit, 2.0)
    dataset = (await api.upload(coins())).json()
    archive = platform_of(app).store.local_path((await version_of(database)).upload_uri)
    archive.unlink()
    os.mkfifo(archive)  # opening it blocks, since nothing is written to it

    assert await processor_with(app, tmp_path, prepare_in_process).process_next()

    assert (await version_of(database)).status == "failed"
    (finding,) = (await api.get(f"/{dataset['id']}/findings")).json()
    assert finding["code"] == "processing_timed_out"
    assert "2 s" in finding["message"]
    assert list((tmp_path / "work").iterdir()) == []


async def test_an_upload_that_is_no_longer_in_storage_fails_at_once(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path
) -> None:
    dataset = (await api.upload(coins())).json()
    platform_of(app).store.delete((await version_of(database)).upload_uri)

    await api.process()

    assert (await version_of(database)).status == "failed"
    (finding,) = (await api.get(f"/{dataset['id']}/findings")).json()
    assert finding["code"] == "processing_failed"


async def test_a_full_disk_is_reported_after_some_tries(
    api: DatasetApi, app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RETRY_SECONDS", ())
    dataset = (await api.upload(coins())).json()

    async def full(
        archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None
    ) -> PrepareResult:
        raise OSError(28, "No space left on device")

    assert await processor_with(app, tmp_path, full).process_next()

    (finding,) = (await api.get(f"/{dataset['id']}/findings")).json()
    assert "disk is full" in finding["message"]


async def test_an_unexpected_error_fails_after_some_tries(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RETRY_SECONDS", (0.0, 0.0))
    await api.upload(coins())

    async def defective(
        archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None
    ) -> PrepareResult:
        raise RuntimeError("Symlink loop")

    processor = processor_with(app, tmp_path, defective)
    assert [await processor.process_next() for _ in range(4)] == [True, True, True, False]
    assert (await version_of(database)).status == "failed"


async def test_a_claimed_version_is_not_processed_until_its_lease_ends(
    api: DatasetApi, app: FastAPI, database: Database
) -> None:
    await api.upload(coins())
    async with database.transaction() as session:
        assert await claim_next(session, DatasetVersion, lease_seconds=60) is not None

    assert not await api.processor.process_next()
    async with database.transaction() as session:
        await session.execute(update(DatasetVersion).values(lease_expires_at=utc_now() - timedelta(seconds=1)))
    assert await api.processor.process_next()

    assert (await version_of(database)).status == "ready"


async def test_unpacked_files_are_deleted_before_storing(
    api: DatasetApi, app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Space for three copies of a data set is enough."""
    dataset = (await api.upload(coins())).json()
    store, put_file = platform_of(app).store, platform_of(app).store.put_file
    left: set[str] = set()

    def list_and_put(path: Path, key: str) -> Any:
        left.update(each.name for work in (tmp_path / "work").iterdir() for each in work.iterdir())
        return put_file(path, key)

    monkeypatch.setattr(store, "put_file", list_and_put)
    assert await processor_with(app, tmp_path, prepare_in_thread).process_next()

    assert (await api.get(f"/{dataset['id']}")).json()["status"] == "ready"
    assert left == {"stored"}


async def test_processing_that_a_shutdown_interrupted_is_repeated_at_once_after_the_start(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path
) -> None:
    await api.upload(coins())
    begun = asyncio.Event()

    async def slow(
        archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None
    ) -> PrepareResult:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    stopped = asyncio.create_task(processor_with(app, tmp_path, slow).run())
    await begun.wait()
    stopped.cancel()
    await asyncio.wait({stopped})

    version = await version_of(database)
    assert (version.status, version.tries, version.lease_expires_at) == ("processing", 0, None)
    assert await api.processor.process_next()
    assert (await version_of(database)).status == "ready"


async def test_an_upload_is_processed_at_once_and_not_at_the_next_poll(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL_SECONDS", 3600.0)
    processor = processor_with(app, tmp_path, prepare_in_thread)
    is_waiting = asyncio.Event()

    async def note_waiting() -> None:
        is_waiting.set()

    monkeypatch.setattr(processor, "clean_up", note_waiting)
    async with processor.running(), asyncio.timeout(30):
        await is_waiting.wait()
        dataset = (await api.upload(coins())).json()
        while (await api.get(f"/{dataset['id']}")).json()["status"] == "processing":
            await asyncio.sleep(0.05)

    assert (await version_of(database)).status == "ready"


async def test_an_upload_to_another_backend_wakes_an_idle_one(
    api: DatasetApi, app: FastAPI, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if settings.is_sqlite:
        pytest.skip("there is no other backend")
    monkeypatch.setattr(worker, "POLL_SECONDS", 3600.0)
    monkeypatch.setattr(change_watcher, "POLL_SECONDS", 3600.0)
    database, notifier = Database(make_engine(settings)), Notifier()
    processor = DatasetProcessor(
        database, platform_of(app).store, tmp_path / "elsewhere", ArchiveLimits(), prepare_in_thread
    )
    is_waiting = asyncio.Event()

    async def note_waiting() -> None:
        is_waiting.set()

    monkeypatch.setattr(processor, "clean_up", note_waiting)
    async with asyncio.timeout(30), processor.running():
        with notifier.subscribe_job(0) as is_connected:
            async with change_watcher.running_change_watcher(database, notifier):
                assert await is_connected.wait(10)
                await is_waiting.wait()
                dataset = (await api.upload(coins())).json()
                while (await api.get(f"/{dataset['id']}")).json()["status"] == "processing":
                    await asyncio.sleep(0.05)
    await database.close()

    assert (await version_of(platform_of(app).database)).status == "ready"


async def test_on_sqlite_the_start_ends_the_lease_of_a_killed_backend(
    api: DatasetApi, app: FastAPI, database: Database
) -> None:
    if not database.is_sqlite:
        pytest.skip("on PostgreSQL another backend may hold the lease")
    dataset = (await api.upload(coins())).json()
    async with database.transaction() as session:
        await claim_next(session, DatasetVersion, lease_seconds=600)

    async with running_processor(database, platform_of(app).store, platform_of(app).settings), asyncio.timeout(30):
        while (await api.get(f"/{dataset['id']}")).json()["status"] == "processing":
            await asyncio.sleep(0.05)

    assert (await version_of(database)).status == "ready"
