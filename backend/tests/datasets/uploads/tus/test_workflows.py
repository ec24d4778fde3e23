"""Parts of resumable uploads: cut, overtaken, given up, forgotten, lost."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from support.common import problem_of
from support.dataset_api import DatasetApi, coins
from support.tus_client import BYTES, TUS, begun, head, send

from data_kit import StorageError
from vision_api.config import Settings
from vision_api.datasets.uploads.tus import workflows
from vision_api.main import create_app
from vision_api.models import Dataset, GarbageObject
from vision_api.platform import platform_of
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION
from vision_api.training_jobs.loops.sweep import SweepLoop


async def count_datasets(app: FastAPI) -> int:
    async with platform_of(app).database.snapshot() as session:
        return (await session.execute(select(func.count()).select_from(Dataset))).scalar_one()


async def test_any_backend_may_go_on(api: DatasetApi, settings: Settings) -> None:
    content = coins()
    url = await begun(api, content)
    other = create_app(settings, background=False)
    async with (
        other.router.lifespan_context(other),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=other), base_url="http://other") as client,
    ):
        there = DatasetApi(client, api.processor, api.user, api.headers)
        for index, start in enumerate(range(0, len(content), 300)):
            response = await send((api, there)[index % 2], url, start, content[start : start + 300])
            assert response.status_code == 204, response.text
    await api.process()

    assert (await api.get(f"/{response.headers['Upload-Dataset']}")).json()["status"] == "ready"


async def test_of_two_requests_at_once_the_later_one_goes_on(
    api: DatasetApi, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier one has stored a part of other bytes at the same offset: it must not count."""
    monkeypatch.setattr(workflows, "PART_BYTES", 50)
    content = coins()
    url = await begun(api, content)
    answers: list[httpx.Response] = []

    async def overtaken() -> AsyncIterator[bytes]:
        yield content[:50]
        answers.append(await send(api, url, 50, content[50:120]))
        yield b"x" * 40
        yield b"x" * 40

    problem_of(await send(api, url, 0, overtaken()), 409, "upload_taken_over")
    assert answers[0].headers["Upload-Offset"] == "120"
    assert (await send(api, url, 120, content[120:])).status_code == 204
    await api.process()

    (dataset,) = (await api.get()).json()
    assert dataset["status"] == "ready"
    assert await count_datasets(app) == 1


async def test_what_came_before_a_cut_is_kept(api: DatasetApi, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflows, "PART_BYTES", 100)
    content = coins()
    url = await begun(api, content)
    messages = [
        {"type": "http.request", "body": content[:130], "more_body": True},
        {"type": "http.request", "body": content[130:177], "more_body": True},
        {"type": "http.disconnect"},
    ]
    headers = api.headers | TUS | BYTES | {"Upload-Offset": "0", "Host": "test"}
    scope = {
        "type": "http", "method": "PATCH", "path": url, "raw_path": url.encode(), "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "http_version": "1.1", "scheme": "http", "server": ("test", 80), "client": ("test", 1), "root_path": "",
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def nobody_hears(message: Any) -> None:
        pass

    await app(scope, receive, nobody_hears)

    assert (await head(api, url)).headers["Upload-Offset"] == "177"
    assert (await send(api, url, 177, content[177:])).status_code == 204
    await api.process()
    assert (await api.get()).json()[0]["status"] == "ready"


async def garbage(app: FastAPI) -> list[str]:
    async with platform_of(app).database.snapshot() as session:
        return list(await session.scalars(select(GarbageObject.uri)))


async def test_what_is_given_up_is_gone_with_its_parts(api: DatasetApi, app: FastAPI) -> None:
    url = await begun(api, b"12345")
    await send(api, url, 0, b"123")

    assert (await api.client.delete(url, headers=api.headers | TUS)).status_code == 204

    assert (await head(api, url)).status_code == 404
    assert [uri.rsplit("/", 2)[1] for uri in await garbage(app)] == [url.rpartition("/")[2]]


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [(StorageError("away"), 503, "storage_unavailable"), (OSError(28, "full"), 507, "storage_full")],
)
async def test_trouble_with_storage_is_said_and_loses_nothing(
    api: DatasetApi, app: FastAPI, monkeypatch: pytest.MonkeyPatch, trouble: Exception, status: int, code: str
) -> None:
    content = coins()
    url = await begun(api, content)
    await send(api, url, 0, content[:100])

    def fail(data: bytes, key: str) -> None:
        raise trouble

    with monkeypatch.context() as patched:
        patched.setattr(platform_of(app).store, "put_bytes", fail)
        problem_of(await send(api, url, 100, content[100:]), status, code)

    assert (await head(api, url)).headers["Upload-Offset"] == "100"
    assert (await send(api, url, 100, content[100:])).status_code == 204


async def test_the_parts_are_gone_once_they_are_processed(api: DatasetApi, app: FastAPI, tmp_path: Path) -> None:
    content = coins()
    url = await begun(api, content)
    await send(api, url, 0, content)
    await api.process()

    await SweepLoop(platform_of(app).database, platform_of(app).store, DEFAULT_RETENTION, owner=uuid4()).tick()

    assert not [path for path in (tmp_path / "storage/uploads").rglob("*") if path.is_file()]


async def test_a_part_that_vanished_is_said(api: DatasetApi, tmp_path: Path) -> None:
    content = coins()
    url = await begun(api, content)
    await send(api, url, 0, content[:100])
    dataset_id = (await send(api, url, 100, content[100:])).headers["Upload-Dataset"]
    next(path for path in (tmp_path / "storage/uploads").rglob("*-*-*/*") if path.is_file()).unlink()

    await api.process()

    assert (await api.get(f"/{dataset_id}")).json()["status"] == "failed"
    (finding,) = (await api.get(f"/{dataset_id}/findings")).json()
    assert finding["code"] == "processing_failed"
