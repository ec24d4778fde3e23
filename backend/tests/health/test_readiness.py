"""Readiness of a platform with parts that are down."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.common import refused_address

from vision_api.config import Settings
from vision_api.main import create_app

REMOTE: dict[str, Any] = {"training_execution_mode": "http", "service_token": "token"}


@asynccontextmanager
async def _served(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, background=False)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


async def _ready(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.get("/ready")
    assert response.status_code == 200
    return response.json()


async def test_ready_where_nothing_is_wrong(client: httpx.AsyncClient) -> None:
    ready = await _ready(client)
    assert ready.pop("disks")["data"]["status"] == "ok"
    assert ready == {"status": "ready", "database": "ok", "services": {}, "troubles": []}


async def test_service_that_does_not_answer_is_named(settings: Settings) -> None:
    urls = {"timm": (f"http://{refused_address()}",)}
    async with _served(settings.model_copy(update={"service_urls": urls})) as client:
        ready = await _ready(client)
    assert (ready["status"], ready["services"]) == ("degraded", {"timm": "degraded"})
    assert [(one["part"], one["name"]) for one in ready["troubles"]] == [("service", "timm")]
    assert "wait in the queue" in ready["troubles"][0]["message"]


@pytest.mark.parametrize(("revision", "remedy"), [("0001", "python -m vision_api.migrate"), ("9999", "upgrade it too")])
async def test_schema_of_another_version_is_named_with_what_to_do(
    sqlite_template: Path, tmp_path: Path, revision: str, remedy: str
) -> None:
    path = tmp_path / "platform.db"
    shutil.copyfile(sqlite_template, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    settings = Settings(data_dir=tmp_path, service_urls={}, **REMOTE)
    async with _served(settings) as client:
        (degradation,) = (await _ready(client))["troubles"]
    assert degradation["part"] == "schema"
    assert f"revision {revision}" in degradation["message"]
    assert remedy in degradation["message"]


async def test_storage_that_does_not_answer_is_named(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "platform.db")
    variables = {"AWS_ENDPOINT_URL": f"http://{refused_address()}", "AWS_REGION": "us-east-1"}
    for name, value in (variables | {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}).items():
        monkeypatch.setenv(name, value)
    async with _served(
        Settings(data_dir=tmp_path, service_urls={}, storage_url="s3://bucket/prefix", **REMOTE)
    ) as client:
        (degradation,) = (await _ready(client))["troubles"]
    assert (degradation["part"], degradation["name"]) == ("storage", "storage")
