"""Results of processing: stored files that a row names, and none that no row names."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import delete, select, update
from support.dataset_api import DatasetApi, coins, prepare_in_thread, processor_with, version_of

from data_kit import ArchiveLimits, SplitOptions, StorageError
from vision_api.datasets.processing import processor, results
from vision_api.datasets.processing.prepare import PrepareResult, ReportProgress
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import DatasetVersion, GarbageObject
from vision_api.platform import platform_of
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION
from vision_api.training_jobs.loops.sweep import SweepLoop


async def test_files_stored_before_a_failure_are_left_to_the_sweep(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RETRY_SECONDS", ())
    await api.upload(coins())
    put_file = platform_of(app).store.put_file

    def fail_at_samples(path: Path, key: str) -> Any:
        if "/samples/" in key:
            raise StorageError("The bucket does not answer.")
        return put_file(path, key)

    monkeypatch.setattr(platform_of(app).store, "put_file", fail_at_samples)
    assert await processor_with(app, tmp_path, prepare_in_thread).process_next()

    assert (await version_of(database)).status == "failed"
    stored = {path.as_uri() for path in (tmp_path / "storage").rglob("*") if path.is_file()}
    assert any(uri.endswith("archive.zip") for uri in stored)
    async with database.snapshot() as session:
        assert stored <= set((await session.execute(select(GarbageObject.uri))).scalars())


async def test_files_of_a_data_set_deleted_during_processing_are_left_to_the_sweep(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path
) -> None:
    dataset = (await api.upload(coins())).json()

    async def deleted(
        archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None
    ) -> PrepareResult:
        prepared = await prepare_in_thread(archive, folder, limits, report)
        await api.delete(dataset["id"])
        return prepared

    assert await processor_with(app, tmp_path, deleted).process_next()

    stored = {path.as_uri() for path in (tmp_path / "storage").rglob("*") if path.is_file()}
    async with database.snapshot() as session:
        assert stored <= set((await session.execute(select(GarbageObject.uri))).scalars())


def contents(tmp_path: Path) -> list[Path]:
    """List the stored files of data sets."""
    return sorted(path for path in (tmp_path / "storage/datasets").rglob("*") if path.is_file())


async def test_content_that_the_sweep_is_deleting_is_stored_again_after_it(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path
) -> None:
    first = await api.ready(coins())
    files = contents(tmp_path)
    await api.delete(first["id"])
    async with database.transaction() as session:
        await session.execute(update(GarbageObject).values(due_at=utc_now() - timedelta(seconds=1)))

    second = (await api.upload(coins())).json()
    await api.process()
    version = await version_of(database)
    assert (version.status, version.tries) == ("processing", 0)
    store, owner = platform_of(app).store, uuid4()
    await SweepLoop(database, store, DEFAULT_RETENTION, owner=owner).tick()
    assert contents(tmp_path) == []
    async with database.transaction() as session:
        await session.execute(update(DatasetVersion).values(lease_expires_at=None))
    await api.process()

    assert (await api.get(f"/{second['id']}")).json()["status"] == "ready"
    await SweepLoop(database, store, DEFAULT_RETENTION, owner=owner).tick()
    assert contents(tmp_path) == files


async def test_content_that_the_sweep_has_just_deleted_is_stored_again(
    api: DatasetApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that existed when the processor checked for them may be swept until its row names them."""
    first = await api.ready(coins())
    files = contents(tmp_path)
    await api.delete(first["id"])
    apply_result = results.apply_result

    async def swept(database: Database, *arguments: Any) -> bool:
        async with database.transaction() as session:
            await session.execute(delete(GarbageObject))
        for path in files:
            if path.name != "archive.zip":
                path.unlink()
        return await apply_result(database, *arguments)

    monkeypatch.setattr(processor, "apply_result", swept)
    await api.ready(coins())

    assert contents(tmp_path) == files
