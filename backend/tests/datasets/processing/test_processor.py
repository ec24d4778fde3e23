"""Uploads are processed once, whatever happens to those who process them."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import delete, select, update
from support.dataset_api import DatasetApi, coins, prepare_in_thread

from data_kit import ArchiveLimits, SplitOptions, StorageError
from vision_api.datasets.processing import prepare, prepare_process, processor, results
from vision_api.datasets.processing.prepare import Prepared, Tell
from vision_api.datasets.processing.prepare_process import Prepare, prepare_in_process
from vision_api.datasets.processing.processor import DatasetProcessor, running_processor
from vision_api.db.claims import claim_oldest
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import DatasetVersion, GarbageObject
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION
from vision_api.training_jobs.loops.sweep import SweepLoop


async def version_of(database: Database) -> DatasetVersion:
    async with database.snapshot() as session:
        return (await session.execute(select(DatasetVersion))).scalar_one()


@pytest.fixture
def database(app: FastAPI) -> Database:
    database: Database = app.state.database
    return database


def processor_with(app: FastAPI, tmp_path: Path, prepare: Prepare) -> DatasetProcessor:
    return DatasetProcessor(app.state.database, app.state.store, tmp_path / "work", ArchiveLimits(), prepare)


async def test_an_upload_is_processed_in_a_process_of_its_own(api: DatasetApi, app: FastAPI, tmp_path: Path) -> None:
    dataset = (await api.upload(coins())).json()

    assert await processor_with(app, tmp_path, prepare_in_process).process_next()

    assert (await api.get(f"/{dataset['id']}")).json()["status"] == "ready"
    assert list((tmp_path / "work").iterdir()) == []


async def test_an_upload_that_kills_whoever_processes_it_fails_in_the_end(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RETRY_SECONDS", 0.0)
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


@pytest.mark.parametrize("limit", ["SILENT_SECONDS", "LONGEST_SECONDS"])
async def test_an_upload_that_never_ends_is_ended(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(prepare_process, limit, 2.0)
    dataset = (await api.upload(coins())).json()
    archive = app.state.store.local_path((await version_of(database)).upload_uri)
    archive.unlink()
    os.mkfifo(archive)  # opening it takes for ever, as long as nobody writes

    assert await processor_with(app, tmp_path, prepare_in_process).process_next()

    assert (await version_of(database)).status == "failed"
    (finding,) = (await api.get(f"/{dataset['id']}/findings")).json()
    assert finding["code"] == "processing_timed_out"
    assert "2 s" in finding["message"]
    assert list((tmp_path / "work").iterdir()) == []


async def test_an_upload_that_vanished_fails_at_once(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path
) -> None:
    dataset = (await api.upload(coins())).json()
    app.state.store.delete((await version_of(database)).upload_uri)

    await api.process()

    assert (await version_of(database)).status == "failed"
    (finding,) = (await api.get(f"/{dataset['id']}/findings")).json()
    assert finding["code"] == "processing_failed"


async def test_a_full_disk_is_said_as_such_in_the_end(
    api: DatasetApi, app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MOST_TRIES", 1)
    dataset = (await api.upload(coins())).json()

    async def full(
        archive: Path, folder: Path, limits: ArchiveLimits, tell: Tell, splits: SplitOptions | None
    ) -> Prepared:
        raise OSError(28, "No space left on device")

    assert await processor_with(app, tmp_path, full).process_next()

    (finding,) = (await api.get(f"/{dataset['id']}/findings")).json()
    assert "disk is full" in finding["message"]


async def test_a_defect_of_ours_ends_in_a_failure_too(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RETRY_SECONDS", 0.0)
    await api.upload(coins())

    async def defective(
        archive: Path, folder: Path, limits: ArchiveLimits, tell: Tell, splits: SplitOptions | None
    ) -> Prepared:
        raise RuntimeError("Symlink loop")

    processor = processor_with(app, tmp_path, defective)
    assert [await processor.process_next() for _ in range(4)] == [True, True, True, False]
    assert (await version_of(database)).status == "failed"


async def test_what_was_stored_of_a_failure_goes(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MOST_TRIES", 1)
    await api.upload(coins())
    put_file = app.state.store.put_file

    def fail_at_samples(path: Path, key: str) -> Any:
        if "/samples/" in key:
            raise StorageError("The bucket does not answer.")
        return put_file(path, key)

    monkeypatch.setattr(app.state.store, "put_file", fail_at_samples)
    assert await processor_with(app, tmp_path, prepare_in_thread).process_next()

    assert (await version_of(database)).status == "failed"
    stored = {path.as_uri() for path in (tmp_path / "storage").rglob("*") if path.is_file()}
    assert any(uri.endswith("archive.zip") for uri in stored)
    async with database.snapshot() as session:
        assert stored <= set((await session.execute(select(GarbageObject.uri))).scalars())


async def test_what_somebody_is_at_is_left_alone_until_the_lease_ends(
    api: DatasetApi, app: FastAPI, database: Database
) -> None:
    await api.upload(coins())
    async with database.transaction() as session:
        assert await claim_oldest(session, DatasetVersion, lease_seconds=60) is not None

    assert not await api.processor.process_next()
    async with database.transaction() as session:
        await session.execute(update(DatasetVersion).values(lease_expires_at=utc_now() - timedelta(seconds=1)))
    assert await api.processor.process_next()

    assert (await version_of(database)).status == "ready"


async def test_what_was_unpacked_is_gone_before_it_is_stored(
    api: DatasetApi, app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a disk that holds a data set three times is enough."""
    dataset = (await api.upload(coins())).json()
    store, put_file = app.state.store, app.state.store.put_file
    left: set[str] = set()

    def look_and_put(path: Path, key: str) -> Any:
        left.update(each.name for work in (tmp_path / "work").iterdir() for each in work.iterdir())
        return put_file(path, key)

    monkeypatch.setattr(store, "put_file", look_and_put)
    assert await processor_with(app, tmp_path, prepare_in_thread).process_next()

    assert (await api.get(f"/{dataset['id']}")).json()["status"] == "ready"
    assert left == {"stored"}


async def test_what_was_begun_when_the_backend_stopped_is_done_at_once_after_it_starts(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path
) -> None:
    await api.upload(coins())
    begun = asyncio.Event()

    async def slow(
        archive: Path, folder: Path, limits: ArchiveLimits, tell: Tell, splits: SplitOptions | None
    ) -> Prepared:
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


async def test_on_sqlite_a_lease_of_a_backend_that_was_killed_ends_at_the_start(
    api: DatasetApi, app: FastAPI, database: Database
) -> None:
    if not database.is_sqlite:
        pytest.skip("on PostgreSQL another backend may hold the lease")
    dataset = (await api.upload(coins())).json()
    async with database.transaction() as session:
        await claim_oldest(session, DatasetVersion, lease_seconds=600)

    async with running_processor(database, app.state.store, app.state.settings), asyncio.timeout(30):
        while (await api.get(f"/{dataset['id']}")).json()["status"] == "processing":
            await asyncio.sleep(0.05)

    assert (await version_of(database)).status == "ready"


async def test_what_is_deleted_while_it_is_processed_leaves_nothing_behind(
    api: DatasetApi, app: FastAPI, database: Database, tmp_path: Path
) -> None:
    dataset = (await api.upload(coins())).json()

    async def deleted(
        archive: Path, folder: Path, limits: ArchiveLimits, tell: Tell, splits: SplitOptions | None
    ) -> Prepared:
        prepared = await prepare_in_thread(archive, folder, limits, tell)
        await api.delete(dataset["id"])
        return prepared

    assert await processor_with(app, tmp_path, deleted).process_next()

    stored = {path.as_uri() for path in (tmp_path / "storage").rglob("*") if path.is_file()}
    async with database.snapshot() as session:
        assert stored <= set((await session.execute(select(GarbageObject.uri))).scalars())


async def test_uploads_that_no_row_names_are_removed_after_a_day(api: DatasetApi, app: FastAPI, tmp_path: Path) -> None:
    await api.upload(coins())
    store = app.state.store
    old, new = store.put_bytes(b"", "uploads/old.zip").uri, store.put_bytes(b"", "uploads/new.zip").uri
    for path in (tmp_path / "storage" / "uploads").iterdir():
        if path.name != "new.zip":
            os.utime(path, (0, 0))

    await api.processor.delete_abandoned_uploads()

    assert not store.exists(old)
    assert store.exists(new)
    await api.process()
    assert (await version_of(app.state.database)).status == "ready"


async def test_a_file_that_a_killed_backend_was_receiving_goes_when_it_is_old(app: FastAPI, tmp_path: Path) -> None:
    incoming = tmp_path / "uploads"
    incoming.mkdir()
    for name in ("old", "new"):
        (incoming / f"{name}.upload").write_bytes(b"half")
    os.utime(incoming / "old.upload", (0, 0))
    state = app.state
    processor = DatasetProcessor(
        state.database, state.store, tmp_path / "work", ArchiveLimits(), prepare_in_thread, incoming=incoming
    )

    await processor.delete_abandoned_uploads()

    assert [path.name for path in incoming.iterdir()] == ["new.upload"]


def contents(tmp_path: Path) -> list[Path]:
    """The stored files of data sets."""
    return sorted(path for path in (tmp_path / "storage/datasets").rglob("*") if path.is_file())


async def test_content_that_the_sweep_is_deleting_now_is_stored_anew_after_it(
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
    store, owner = app.state.store, uuid4()
    await SweepLoop(database, store, DEFAULT_RETENTION, owner=owner).tick()
    assert contents(tmp_path) == []
    async with database.transaction() as session:
        await session.execute(update(DatasetVersion).values(lease_expires_at=None))
    await api.process()

    assert (await api.get(f"/{second['id']}")).json()["status"] == "ready"
    await SweepLoop(database, store, DEFAULT_RETENTION, owner=owner).tick()
    assert contents(tmp_path) == files


async def test_content_that_the_sweep_deleted_a_moment_ago_is_stored_anew(
    api: DatasetApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was still there when the processor looked, and had no name yet."""
    first = await api.ready(coins())
    files = contents(tmp_path)
    await api.delete(first["id"])
    apply_prepared = results.apply_prepared

    async def swept(database: Database, *arguments: Any) -> bool:
        async with database.transaction() as session:
            await session.execute(delete(GarbageObject))
        for path in files:
            if path.name != "archive.zip":
                path.unlink()
        return await apply_prepared(database, *arguments)

    monkeypatch.setattr(processor, "apply_prepared", swept)
    await api.ready(coins())

    assert contents(tmp_path) == files
