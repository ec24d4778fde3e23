"""A drill: data in, backup, everything lost, restore, everything there."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from support.common import PASSWORD_HASH
from support.stored_jobs import store_dataset, store_job

from data_kit import open_store
from vision_api.backup.__main__ import main
from vision_api.config import Settings
from vision_api.db.base import Base
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.migrate import upgrade
from vision_api.models import Artifact, AuthSession, JobStatus, Project, TrainingJob, User

STATUSES = {
    "running": JobStatus.RUNNING, "stopping": JobStatus.STOPPING, "pausing": JobStatus.PAUSING,
    "sent": JobStatus.QUEUED, "waiting": JobStatus.QUEUED, "new": JobStatus.PENDING,
}  # fmt: skip
GROW = frozenset({"job_events", "auth_sessions"})


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Settings]:
    """The settings that the command will read; the same each time."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STORAGE_URL", (tmp_path / "storage").as_uri())
    if request.param == "postgresql":
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("bare_postgresql_database"))
    return lambda: Settings(service_urls={})


async def _fill(settings: Settings) -> None:
    (settings.data_dir).mkdir(parents=True, exist_ok=True)
    await upgrade(settings)
    database, store = Database(make_engine(settings)), open_store(settings.storage_url)
    owner, project = User(email="owner@example.com", password_hash=PASSWORD_HASH), Project(name='A "name",\nNULL')
    async with database.transaction() as session:
        session.add_all([owner, project])
        await session.flush()
        session.add(AuthSession(user_id=owner.id, expires_at=utc_now() + timedelta(days=1)))
    await store_job(database, store, project, owner, notes="", hyperparameters={"a": [1, None, "ü"]})
    for name, status in STATUSES.items():
        instance_id = None if name in ("waiting", "new") else uuid4()
        attempt = 0 if name in ("waiting", "new") else 3
        await store_job(
            database, store, project, owner, name=name, status=status, instance_id=instance_id, attempt=attempt
        )
    await store_dataset(database, store, owner, "d" * 64, project)
    await database.close()


async def _count(settings: Settings) -> dict[str, int]:
    database = Database(make_engine(settings))
    async with database.snapshot() as session:
        counts = {
            table.name: (await session.execute(select(func.count()).select_from(table))).scalar_one()
            for table in Base.metadata.sorted_tables
        }
    await database.close()
    return counts


async def _jobs(settings: Settings) -> dict[str, TrainingJob]:
    database = Database(make_engine(settings))
    async with database.snapshot() as session:
        jobs = {job.name: job for job in await session.scalars(select(TrainingJob))}
        uris = (await session.scalars(select(Artifact.uri))).all()
        project = (await session.scalars(select(Project))).one()
        assert project.name == 'A "name",\nNULL'
    await database.close()
    store = open_store(settings.storage_url)
    assert [uri for uri in uris if not store.exists(uri)] == []
    return jobs


async def _add_user(settings: Settings, email: str) -> int:
    database = Database(make_engine(settings))
    user = User(email=email, password_hash=PASSWORD_HASH)
    async with database.transaction() as session:
        session.add(user)
    await database.close()
    return user.id


def _refused(*arguments: str) -> str:
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    assert ending.value.code not in (0, None)
    return str(ending.value.code)


def test_everything_is_there_after_a_loss(environment: Callable[[], Settings], tmp_path: Path) -> None:
    settings, file = environment(), str(tmp_path / "backup.tar")
    asyncio.run(_fill(settings))
    before = asyncio.run(_count(settings))
    main(["create", file])
    last = asyncio.run(_add_user(settings, "after@example.com"))
    shutil.rmtree(tmp_path / "storage")
    if settings.is_sqlite:
        shutil.rmtree(settings.data_dir)

    main(["restore", file, *([] if settings.is_sqlite else ["--replace"])])

    after = asyncio.run(_count(settings))
    assert {name: after[name] for name in after if name not in GROW} == {
        name: before[name] for name in before if name not in GROW
    }
    assert after["auth_sessions"] == 0
    assert asyncio.run(_add_user(settings, "next@example.com")) == last
    jobs = asyncio.run(_jobs(settings))
    assert {name: str(job.status) for name, job in jobs.items() if name != "tiny"} == {
        "running": "queued", "stopping": "cancelled", "pausing": "paused", "sent": "queued", "waiting": "queued",
        "new": "pending",
    }  # fmt: skip
    assert jobs["running"].status_reason == "platform_stopped"
    assert {job.instance_id for job in jobs.values()} == {None}
    assert (jobs["running"].attempt, jobs["running"].attempt_floor, jobs["new"].attempt_floor) == (3, 103, 100)
    assert jobs["tiny"].hyperparameters == {"a": [1, None, "ü"]}


def test_a_database_in_use_is_replaced_only_on_request(environment: Callable[[], Settings], tmp_path: Path) -> None:
    file = str(tmp_path / "backup.tar")
    asyncio.run(_fill(environment()))
    main(["create", file])
    assert "--replace" in _refused("restore", file)


def test_a_file_that_was_cut_off_changes_no_row(environment: Callable[[], Settings], tmp_path: Path) -> None:
    settings, file = environment(), tmp_path / "backup.tar"
    asyncio.run(_fill(settings))
    main(["create", str(file)])
    asyncio.run(_add_user(settings, "after@example.com"))
    before = asyncio.run(_count(settings))
    whole = file.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 12_000):
        file.write_bytes(whole[:size])
        assert "restore" in _refused("restore", str(file), "--replace")
    assert asyncio.run(_count(settings)) == before


def test_another_storage_or_database_is_refused(
    environment: Callable[[], Settings], tmp_path: Path, monkeypatch: Any
) -> None:
    file = str(tmp_path / "backup.tar")
    asyncio.run(_fill(environment()))
    main(["create", file])
    monkeypatch.setenv("STORAGE_URL", (tmp_path / "elsewhere").as_uri())
    assert "STORAGE_URL" in _refused("restore", file, "--replace")
