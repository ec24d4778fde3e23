"""Cleanup of abandoned uploads: stored without a row, half received, or expired."""

import os
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import select, update
from support.dataset_api import DatasetApi, coins, version_of
from support.tus_client import begun, head, send

from vision_api.datasets.uploads.cleanup import delete_abandoned_uploads
from vision_api.kit.clock import utc_now
from vision_api.models import GarbageObject, ResumableUpload
from vision_api.platform import platform_of


async def clean_up(app: FastAPI, tmp_path: Path) -> None:
    await delete_abandoned_uploads(platform_of(app).database, platform_of(app).store, tmp_path / "uploads")


async def test_uploads_that_no_row_names_are_deleted_after_a_day(api: DatasetApi, app: FastAPI, tmp_path: Path) -> None:
    await api.upload(coins())
    store = platform_of(app).store
    old, new = store.put_bytes(b"", "uploads/old.zip").uri, store.put_bytes(b"", "uploads/new.zip").uri
    for path in (tmp_path / "storage" / "uploads").iterdir():
        if path.name != "new.zip":
            os.utime(path, (0, 0))

    await clean_up(app, tmp_path)

    assert not store.exists(old)
    assert store.exists(new)
    await api.process()
    assert (await version_of(platform_of(app).database)).status == "ready"


async def test_a_file_that_a_killed_backend_was_receiving_is_deleted_after_a_day(app: FastAPI, tmp_path: Path) -> None:
    incoming = tmp_path / "uploads"
    incoming.mkdir()
    for name in ("old", "new"):
        (incoming / f"{name}.upload").write_bytes(b"half")
    os.utime(incoming / "old.upload", (0, 0))

    await clean_up(app, tmp_path)

    assert [path.name for path in incoming.iterdir()] == ["new.upload"]


async def test_an_unfinished_upload_expires_and_a_finished_one_leaves_its_data_set(
    api: DatasetApi, app: FastAPI, tmp_path: Path
) -> None:
    content = coins()
    unfinished, finished = await begun(api, b"12345"), await begun(api, content)
    await send(api, unfinished, 0, b"123")
    await send(api, finished, 0, content)
    async with platform_of(app).database.transaction() as session:
        await session.execute(update(ResumableUpload).values(expires_at=utc_now() - timedelta(seconds=1)))

    assert (await head(api, unfinished)).status_code == 404
    await clean_up(app, tmp_path)

    async with platform_of(app).database.snapshot() as session:
        garbage = list(await session.scalars(select(GarbageObject.uri)))
    assert [uri.rsplit("/", 2)[1] for uri in garbage] == [unfinished.rpartition("/")[2]]
    await api.process()
    assert (await api.get()).json()[0]["status"] == "ready"


async def test_old_parts_of_an_upload_stay_as_long_as_its_row(api: DatasetApi, app: FastAPI, tmp_path: Path) -> None:
    url = await begun(api, b"12345")
    await send(api, url, 0, b"123")
    platform_of(app).store.put_bytes(b"x", "uploads/nobody/000000000000000000-0000000001")
    for path in (tmp_path / "storage/uploads").rglob("*"):
        os.utime(path, (0, 0))

    await clean_up(app, tmp_path)

    left = [path.parent.name for path in (tmp_path / "storage/uploads").rglob("*") if path.is_file()]
    assert left == [url.rpartition("/")[2]]
