"""Object storage that refuses connections, and a disk that is full."""

import errno
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from support.common import problem_of, replace_parts
from support.dataset_api import DatasetApi, coins

from data_kit import ObjectStore, StoredObject
from data_kit.storage import Timeouts, open_store
from vision_api.platform import platform_of

SHORT = Timeouts(connect=timedelta(seconds=1), retries=0)


@pytest.fixture
def dead_store(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    for name, value in {"ENDPOINT_URL": "http://127.0.0.1:1", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    store = open_store("s3://bucket/platform", SHORT)
    replace_parts(app, store=store)
    return store


async def test_an_upload_without_storage_is_to_be_sent_again_and_leaves_nothing(
    api: DatasetApi, dead_store: ObjectStore, tmp_path: Path
) -> None:
    response = await api.upload(coins())

    problem_of(response, 503, "storage_unavailable")
    assert response.headers["Retry-After"]
    assert (await api.get()).json() == []
    assert not list((tmp_path / "uploads").iterdir())


async def test_a_preview_without_storage_is_to_be_asked_for_again(
    api: DatasetApi, app: FastAPI, request: pytest.FixtureRequest
) -> None:
    dataset = await api.ready(coins())
    request.getfixturevalue("dead_store")

    problem_of(await api.get(f"/{dataset['id']}/preview"), 503, "storage_unavailable")


async def test_an_upload_to_a_full_disk_says_so(
    api: DatasetApi, app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, key: str) -> StoredObject:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(platform_of(app).store, "put_file", refuse)

    problem_of(await api.upload(coins()), 507, "storage_full")
    assert not list((tmp_path / "uploads").iterdir())
