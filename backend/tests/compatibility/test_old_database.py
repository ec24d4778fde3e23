"""The database of an earlier release, upgraded: today's application answers for its rows as that release did."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from compatibility.old_database import DATABASES, OldDatabase, read
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import MetaData
from support.common import JWT_SECRET, PASSWORD
from support.fake_service import TOKEN, FakeService
from support.waiting import until

from vision_api.config import Settings
from vision_api.db.engine import make_engine
from vision_api.main import create_app
from vision_api.migrate import upgrade
from vision_api.platform import platform_of

OWNER = {"email": "owner@example.com", "password": PASSWORD}
QUEUED_TRAINING, QUEUED_EXPORT, PENDING = 20, 21, 14


@pytest.fixture(params=sorted(path.name for path in DATABASES.iterdir()))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> OldDatabase:
    return read(DATABASES / request.param, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, old: OldDatabase) -> Settings:
    """Settings of a backend whose database and storage are the old ones, and upgraded."""
    url = request.getfixturevalue("bare_postgresql_database") if request.param == "postgresql" else ""
    settings = Settings(
        database_url=url,
        data_dir=tmp_path,
        jwt_secret=SecretStr(JWT_SECRET),
        service_urls={"fake": ("http://127.0.0.1:9",)},
        training_execution_mode="http",
    )
    asyncio.run(old.restore(settings))
    asyncio.run(upgrade(settings))
    return settings


async def _sign_in(client: httpx.AsyncClient, **credentials: str) -> None:
    answer = await client.post("/api/v1/auth/login", json=credentials)
    assert answer.status_code == 200, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


@pytest.fixture
async def api(client: httpx.AsyncClient) -> httpx.AsyncClient:
    await _sign_in(client, **OWNER)
    return client


def _read_answer(answer: httpx.Response) -> Any:
    """JSON, lines of JSON, server-sent events as their fields, or text."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json":
        return answer.json()
    if kind == "application/x-ndjson":
        return [json.loads(line) for line in answer.text.splitlines()]
    if kind == "text/event-stream":
        fields = [line.partition(": ")[::2] for line in answer.text.splitlines() if line and not line.startswith(":")]
        return [[name, json.loads(value) if name == "data" else value] for name, value in fields]
    return kind


def _known_part(now: Any, before: Any) -> Any:
    """`now` without the properties that answers did not have then."""
    if isinstance(now, dict) and isinstance(before, dict):
        return {name: _known_part(value, before[name]) for name, value in now.items() if name in before}
    if isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        return [_known_part(*pair) for pair in zip(now, before, strict=True)]
    return now


async def test_rows_of_every_table_are_there(old: OldDatabase, tmp_path: Path) -> None:
    settings = Settings(database_url="", data_dir=tmp_path, service_urls={})
    await upgrade(settings, to=old.revision)
    engine, schema = make_engine(settings), MetaData()
    async with engine.connect() as connection:
        await connection.run_sync(schema.reflect)
    await engine.dispose()

    assert set(schema.tables) - {"alembic_version"} == set(old.rows)


async def test_api_answers_for_old_rows_as_it_did(api: httpx.AsyncClient, old: OldDatabase) -> None:
    for answer in old.answers:
        got = await api.get(f"/api/v1{answer['path']}")

        assert got.status_code == answer["status"], (answer["path"], got.text)
        assert _known_part(_read_answer(got), answer["body"]) == answer["body"], answer["path"]


async def test_old_users_sign_in_and_stay_signed_in(client: httpx.AsyncClient, old: OldDatabase) -> None:
    refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": old.refresh_token})
    assert refreshed.status_code == 200, refreshed.text

    for email, projects in (("owner@example.com", 2), ("viewer@example.com", 1)):
        await _sign_in(client, email=email, password=PASSWORD)
        assert len((await client.get("/api/v1/projects")).json()) == projects


async def test_old_files_are_downloaded(api: httpx.AsyncClient) -> None:
    drawing = await api.get("/api/v1/training/jobs/3/artifacts/drawings/0.png")
    weights = await api.get("/api/v1/projects/1/models/reader/versions/2/download")

    assert drawing.content.startswith(b"\x89PNG")
    assert weights.content.startswith(b"PK")


@pytest.mark.usefixtures("colors")
async def test_old_rows_are_worked_with(api: httpx.AsyncClient) -> None:
    for method, path, body, status in (
        ("POST", "/projects", {"name": "New"}, 201),
        ("PATCH", "/projects/1", {"description": "Changed"}, 200),
        ("PATCH", "/datasets/2", {"name": "renamed"}, 200),
        ("POST", f"/training/jobs/{PENDING}/clone", {}, 201),
        ("POST", "/training/jobs/8/extend", {"epochs": 9}, 202),
        ("POST", "/training/jobs/10/retry", {}, 202),
        ("POST", "/training/jobs/13/resume", None, 202),
        ("POST", f"/training/jobs/{QUEUED_TRAINING}/stop", None, 202),
        ("POST", "/projects/1/models", {"name": "reader", "job_id": 2}, 201),
        ("PATCH", "/projects/1/models/reader/versions/2", {"stage": "production"}, 200),
        ("DELETE", "/training/jobs/2", None, 204),
        ("DELETE", "/datasets/3", None, 204),
    ):
        answer = await api.request(method, f"/api/v1{path}", json=body)

        assert answer.status_code == status, (method, path, answer.text)


@pytest.fixture
async def whole(settings: Settings, tmp_path: Path) -> AsyncIterator[FastAPI]:
    """Every part of the application, with a training service."""
    storage_url = (tmp_path / "storage").as_uri()
    service = FakeService(tmp_path / "service", storage_url, tmp_path / "datasets", slots=4)
    await service.start()
    known = {"service_urls": {"fake": (service.url,)}, "service_token": SecretStr(TOKEN), "storage_url": storage_url}
    app = create_app(settings.model_copy(update=known))
    async with app.router.lifespan_context(app):
        await until(lambda: platform_of(app).registry.available("fake"))
        yield app
    await service.end()


async def test_what_was_queued_is_done(whole: FastAPI) -> None:
    transport = httpx.ASGITransport(whole)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await _sign_in(client, **OWNER)
        for job in (QUEUED_TRAINING, QUEUED_EXPORT):
            for _ in range(600):
                found = (await client.get(f"/api/v1/training/jobs/{job}")).json()
                if found["status"] in ("completed", "failed"):
                    break
                await asyncio.sleep(0.1)
            assert found["status"] == "completed", found
