"""The usage report of an operator, and the deletions of its repair."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, update
from support.stored_jobs import StoreJob, store_dataset, store_model

from data_kit import ObjectStore
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import AuthSession, GarbageObject, Project, TrainingJob, User
from vision_api.usage import __main__ as command
from vision_api.usage.__main__ import format_bytes, run

UNKNOWN = "jobs/7b0f9a5e-58a1-4a0e-9d5c-0a3a52f0b9a1"


@pytest.fixture
async def login(database: Database, owner: User) -> None:
    """A session of a user who has just signed in."""
    async with database.transaction() as session:
        session.add(AuthSession(user_id=owner.id, expires_at=utc_now()))


def folder_of(store: ObjectStore, prefix: str) -> Path:
    folder = store.local_path(store.uri(prefix))
    assert folder is not None
    return folder


def make_old(store: ObjectStore, prefix: str, days: float = 2) -> None:
    time = (utc_now() - timedelta(days=days)).timestamp()
    for path in folder_of(store, prefix).rglob("*"):
        os.utime(path, (time, time))


async def report(settings: Settings, capsys: pytest.CaptureFixture[str], *, repair: bool = False) -> dict[str, Any]:
    await run(settings, as_json=True, repair=repair)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


async def test_every_byte_in_storage_has_an_owner(
    settings: Settings,
    database: Database,
    store: ObjectStore,
    project: Project,
    owner: User,
    make_stored_job: StoreJob,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = await make_stored_job()
    store.delete(store.uri(f"jobs/{job.job_uid}/attempts/1/report.json"))
    await make_stored_job(deleted_at=utc_now())
    swept = await make_stored_job()
    async with database.transaction() as session:
        await session.execute(delete(TrainingJob).where(TrainingJob.id == swept.id))
        session.add(GarbageObject(uri=f"{swept.output_uri}/", due_at=utc_now()))
    await store_dataset(database, store, owner, "a" * 64, project)
    await store_dataset(database, store, owner, "a" * 64, project)
    await store_dataset(database, store, owner, "b" * 64, None)
    await store_model(database, store, project, owner)
    for key, size in (
        (f"{UNKNOWN}/lost.pt", 30), ("datasets/cc/archive.zip", 20), ("models/dd/weights", 10), ("uploads/x.zip", 5),
        ("odd", 1),
    ):  # fmt: skip
        store.put_bytes(b"x" * size, key)
    (folder_of(store, UNKNOWN) / "half.pt#1").write_bytes(b"x" * 11)

    found = await report(settings, capsys)

    [digits, user_owned] = [each | {"jobs": len(each["jobs"])} for each in found["projects"]]
    assert digits == {
        "project_id": project.id, "name": "Digits", "files": 6, "total_bytes": 257 + 1000 + 40,
        "checkpoints_bytes": 200, "superseded_bytes": 50, "unlisted_bytes": 7, "datasets_bytes": 1000,
        "models_bytes": 40, "jobs": 1,
    }  # fmt: skip
    assert (user_owned["project_id"], user_owned["total_bytes"], user_owned["datasets_bytes"]) == (None, 1000, 1000)
    [job_totals] = found["projects"][0]["jobs"]
    assert (job_totals["job_id"], job_totals["total_bytes"], job_totals["missing_files"]) == (job.id, 257, 1)
    assert [(each["prefix"], each["kind"], each["total_bytes"]) for each in found["orphans"]] == [
        (UNKNOWN, "job", 30), ("datasets/cc", "dataset", 20), ("models/dd", "model", 10), ("odd", "other", 1),
    ]  # fmt: skip
    assert (found["deleted_bytes"], found["uploads_bytes"], found["unfinished_bytes"]) == (2 * 267, 5, 11)
    sums = [each["total_bytes"] for each in (*found["projects"], *found["orphans"])]
    assert found["total_bytes"] == sum(sums) + 2 * 267 + 5 + 11
    assert found["database_bytes"] > 100_000

    await run(settings)
    table = capsys.readouterr().out
    assert f"{project.id} Digits" in table
    assert UNKNOWN in table
    assert f"experiment {job.id} has 1 artifacts whose files are gone" in table


@pytest.mark.usefixtures("login")
async def test_a_repair_deletes_old_files_of_unknown_jobs_and_nothing_else(
    settings: Settings,
    database: Database,
    store: ObjectStore,
    project: Project,
    owner: User,
    make_stored_job: StoreJob,
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = await make_stored_job()
    deleted = await make_stored_job(deleted_at=utc_now())
    young = f"jobs/{uuid4()}"
    kept = [f"jobs/{known.job_uid}", f"jobs/{deleted.job_uid}", young, "jobs/not-a-uid", "datasets/cc"]
    for prefix in (UNKNOWN, *kept):
        store.put_bytes(b"1", f"{prefix}/attempts/1/lost.pt")
        if prefix != young:
            make_old(store, prefix)

    await report(settings, capsys)
    assert folder_of(store, UNKNOWN).exists()
    await report(settings, capsys, repair=True)

    assert not folder_of(store, UNKNOWN).exists()
    assert all(list(store.list(prefix)) for prefix in kept)


async def test_what_is_younger_than_the_database_stays(
    settings: Settings,
    store: ObjectStore,
    database: Database,
    make_stored_job: StoreJob,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A database restored from a backup: the job came after it."""
    past = utc_now() - timedelta(days=9)
    await make_stored_job(updated_at=past)
    async with database.transaction() as session:
        await session.execute(update(Project).values(updated_at=past))
    store.put_bytes(b"1", f"{UNKNOWN}/lost.pt")
    make_old(store, UNKNOWN)

    await report(settings, capsys, repair=True)

    assert folder_of(store, UNKNOWN).exists()


@pytest.mark.usefixtures("login")
async def test_a_new_database_deletes_nothing(
    settings: Settings, store: ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store.put_bytes(b"1", f"{UNKNOWN}/lost.pt")
    make_old(store, UNKNOWN)

    with pytest.raises(command.NotThisDatabase, match="knows none of the 1 jobs"):
        await report(settings, capsys, repair=True)

    assert folder_of(store, UNKNOWN).exists()


@pytest.mark.usefixtures("login")
async def test_a_job_that_is_known_after_all_stays(
    settings: Settings,
    store: ObjectStore,
    make_stored_job: StoreJob,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await make_stored_job()
    store.put_bytes(b"1", f"{UNKNOWN}/lost.pt")
    make_old(store, UNKNOWN)

    async def known(*_: Any) -> bool:
        return True

    monkeypatch.setattr("vision_api.usage.orphans.has_job", known)
    await report(settings, capsys, repair=True)

    assert folder_of(store, UNKNOWN).exists()


def test_an_error_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SystemExit, match="no tables yet"):
        command.main([])


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**40, "1.0 TiB"), (5 * 2**50, "5120.0 TiB")]
)
def test_bytes_are_read_by_people(size: int, text: str) -> None:
    assert format_bytes(size) == text
