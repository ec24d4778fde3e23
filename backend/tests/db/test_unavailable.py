"""A database in trouble is a 503 that says when to come back: never a 500, never a hang."""

import shutil
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import make_url, text
from support.common import PASSWORD, AuthHeaders, MakeUser, problem_of, refused_address
from support.waiting import until

from vision_api.config import Settings
from vision_api.db import engine as engine_module
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.main import create_app
from vision_api.migrate import upgrade
from vision_api.platform import platform_of

PROJECTS = "/api/v1/projects"
CREDENTIALS = {"email": "mina@example.com", "password": PASSWORD}


def _assert_unavailable(response: httpx.Response) -> None:
    problem_of(response, 503, "database_unavailable")
    assert int(response.headers["Retry-After"]) > 0


async def _ask(database: Database) -> None:
    async with database.snapshot() as session:
        await session.execute(text("SELECT 1"))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A small pool that gives up quickly."""
    return settings.model_copy(
        update={"database_pool_size": 2, "database_max_overflow": 0, "database_pool_timeout_seconds": 0.3}
    )


async def test_exhausted_pool_is_a_503_and_recovers(
    client: httpx.AsyncClient, app: FastAPI, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    headers = await auth_headers(await make_user())
    async with platform_of(app).database.snapshot() as one, platform_of(app).database.snapshot() as two:
        await one.execute(text("SELECT 1"))
        await two.execute(text("SELECT 1"))
        started_at = time.monotonic()
        _assert_unavailable(await client.get(PROJECTS, headers=headers))
        assert time.monotonic() - started_at < 5
    assert (await client.get(PROJECTS, headers=headers)).status_code == 200


@asynccontextmanager
async def _served(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, background=False)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


async def test_postgresql_that_goes_away_is_a_503(bare_postgresql_database: str, tmp_path: Path) -> None:
    settings = Settings(database_url=bare_postgresql_database, data_dir=tmp_path, service_urls={})
    await upgrade(settings)
    async with _served(settings) as client:
        await client.post("/api/v1/auth/register", json=CREDENTIALS)
        assert (await client.post("/api/v1/auth/login", json=CREDENTIALS)).status_code == 200
        url = make_url(bare_postgresql_database)
        connection = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
        await connection.execute(f"DROP DATABASE {url.database} WITH (FORCE)")
        await connection.close()
        for _ in range(3):
            _assert_unavailable(await client.post("/api/v1/auth/login", json=CREDENTIALS))
        _assert_unavailable(await client.get("/ready"))
        assert (await client.get("/health")).status_code == 200


async def test_sqlite_that_another_process_has_locked_is_a_503(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_MILLISECONDS", 100)
    path = tmp_path / "platform.db"
    shutil.copyfile(sqlite_template, path)
    async with _served(Settings(database_url=f"sqlite:///{path}", data_dir=tmp_path, service_urls={})) as client:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        _assert_unavailable(await client.post("/api/v1/auth/register", json=CREDENTIALS))
        other.execute("ROLLBACK")
        other.close()
        assert (await client.post("/api/v1/auth/register", json=CREDENTIALS)).status_code == 201


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_address_where_no_database_is_raises_database_unavailable(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    address = {
        "sqlite": f"sqlite:///{tmp_path}",  # a folder
        "postgresql": f"postgresql://mina:secret@{refused_address()}/platform?sslmode=prefer",
    }[kind]
    database = Database(make_engine(Settings(database_url=address, data_dir=tmp_path, service_urls={})))
    threads = threading.active_count()
    with pytest.raises(DatabaseUnavailable):
        await _ask(database)
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
    await database.close()
    await until(lambda: threading.active_count() <= threads)  # threads that still report to the event loop


async def test_writer_that_takes_too_long_makes_the_next_one_a_503(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "platform.db"
    shutil.copyfile(sqlite_template, path)
    engine = make_engine(Settings(database_url=f"sqlite:///{path}", data_dir=tmp_path, service_urls={}))
    database = Database(engine, lock_timeout_seconds=0.1)
    async with database.transaction():
        with pytest.raises(DatabaseUnavailable, match="busy"):
            async with database.transaction():
                pass
    async with database.transaction():
        pass
    await database.close()


async def test_statement_that_takes_too_long_is_cut_off(
    postgresql_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "STATEMENT_SECONDS", 0.2)
    settings = Settings(database_url=postgresql_database, data_dir=tmp_path, service_urls={})
    database = Database(make_engine(settings))
    with pytest.raises(DatabaseUnavailable):
        async with database.snapshot() as session:
            await session.execute(text("SELECT pg_sleep(30)"))
    await _ask(database)
    await database.close()
