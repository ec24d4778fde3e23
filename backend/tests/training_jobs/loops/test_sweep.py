"""A deletion frees all rows and files, also if it is killed half-way."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, update
from support.job_rows import MakeJob

from data_kit import ObjectStore, StorageError, open_store
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import (
    Artifact,
    Dataset,
    DatasetStatus,
    DatasetVersion,
    GarbageObject,
    JobEvent,
    JobStatus,
    LogLine,
    MetricPoint,
    Project,
    TrainingJob,
    User,
)
from vision_api.projects.use_cases import delete_project
from vision_api.storage_layout import job_uri
from vision_api.training_jobs.loops import sweep
from vision_api.training_jobs.loops.repository import removal
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION
from vision_api.training_jobs.loops.sweep import SweepLoop

Sweep = Callable[[], SweepLoop]


class Killed(BaseException):
    """A kill, which no handler of exceptions catches."""


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "storage").as_uri())


@pytest.fixture
def new_sweep(database: Database, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A sweep of a backend that has just started."""
    monkeypatch.setattr(sweep, "SEEN_AS_DELETED", timedelta(0))
    return lambda: SweepLoop(database, store, DEFAULT_RETENTION, owner=uuid4())


@pytest.fixture
async def job(database: Database, make_job: MakeJob, store: ObjectStore) -> TrainingJob:
    """A deleted job with files, and rows in every table."""
    uid = uuid4()
    job = await make_job(
        job_uid=uid, output_uri=job_uri(store.url, uid), status=JobStatus.COMPLETED, deleted_at=utc_now()
    )
    await fill(database, store, job)
    return job


async def fill(database: Database, store: ObjectStore, job: TrainingJob) -> None:
    now = utc_now()
    stored = [store.put_bytes(b"12345", f"jobs/{job.job_uid}/attempts/1/{name}") for name in ("a.pt", "b.pt", "lost")]
    async with database.transaction() as session:
        for one in stored[:2]:
            session.add(
                Artifact(
                    job_id=job.id, name=one.uri[-4:], kind="checkpoint", uri=one.uri, size_bytes=5, sha256=one.sha256,
                    content_type="x", attempt=1, created_at=now,
                )
            )  # fmt: skip
        of_job = {"job_id": job.id, "time": now}
        event, line = {"type": "log", "attempt": 1, "data": {}}, {"attempt": 1, "level": "info", "message": "m"}
        await session.execute(insert(JobEvent).values(of_job | event | {"event_id": 1}))
        await session.execute(insert(LogLine).values(of_job | line | {"line_id": 1}))
        for name in ("lr", "train/loss"):
            await session.execute(
                insert(MetricPoint).values(of_job | {"name": name, "step": 1, "epoch": 0, "value": 1})
            )


async def rows_of(database: Database) -> dict[str, int]:
    """Count the rows of jobs in each table, without the empty ones."""
    tables = (TrainingJob, Artifact, JobEvent, LogLine, MetricPoint)
    async with database.snapshot() as session:
        counts = {
            table.__tablename__: await session.scalar(select(func.count()).select_from(table)) for table in tables
        }
    return {name: count for name, count in counts.items() if count}


async def leases_end(database: Database) -> None:
    """Let all leases expire."""
    async with database.transaction() as session:
        await session.execute(update(TrainingJob).values(lease_expires_at=utc_now() - timedelta(seconds=1)))


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_a_deleted_job_leaves_nothing(
    database: Database, job: TrainingJob, new_sweep: Sweep, tmp_path: Path
) -> None:
    (tmp_path / f"storage/jobs/{job.job_uid}/attempts/1/c.pt#1").write_bytes(b"a killed writer's")

    await new_sweep().tick()

    assert await rows_of(database) == {}
    assert list((tmp_path / "storage/jobs").iterdir()) == []


STEPS: list[tuple[Any, str]] = [
    (ObjectStore, "delete_prefix"),
    (removal, "list_metric_names"),
    (removal, "delete_curve"),
    (removal, "delete_history"),
    (removal, "delete_job"),
]


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize(("where", "step"), STEPS)
async def test_a_deletion_that_is_killed_half_way_is_done_by_the_next(
    database: Database,
    job: TrainingJob,
    new_sweep: Sweep,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    step: str,
    is_done: bool,
) -> None:
    """Killed before the step, or right after it."""
    original, calls = getattr(where, step), 0

    def killed(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if is_done and calls == 1 and where is ObjectStore:
            original(*arguments, **named)
        raise Killed

    async def killed_in_transaction(*arguments: Any, **named: Any) -> Any:
        """Raise within the transaction, which is not committed."""
        if is_done:
            await original(*arguments, **named)
        raise Killed

    monkeypatch.setattr(where, step, killed if where is ObjectStore else killed_in_transaction)
    with pytest.raises(Killed):
        await new_sweep().tick()
    monkeypatch.undo()
    monkeypatch.setattr(sweep, "SEEN_AS_DELETED", timedelta(0))
    assert (await rows_of(database))["training_jobs"] == 1

    await leases_end(database)
    await new_sweep().tick()

    assert await rows_of(database) == {}
    assert files_in(tmp_path / "storage") == []


async def test_a_storage_that_does_not_answer_keeps_the_row_until_it_does(
    database: Database, job: TrainingJob, new_sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise StorageError("not now")

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "delete_prefix", refuse)
        await new_sweep().tick()
    assert (await rows_of(database))["training_jobs"] == 1

    await leases_end(database)
    await new_sweep().tick()

    assert await rows_of(database) == {}
    assert files_in(tmp_path / "storage") == []


async def garbage_is_due(database: Database) -> list[str]:
    async with database.transaction() as session:
        await session.execute(update(GarbageObject).values(due_at=utc_now() - timedelta(seconds=1)))
        return list(await session.scalars(select(GarbageObject.uri)))


async def test_what_a_ghost_stores_after_its_job_is_gone_goes_a_day_later(
    database: Database, job: TrainingJob, new_sweep: Sweep, store: ObjectStore, tmp_path: Path
) -> None:
    await new_sweep().tick()
    store.put_bytes(b"late", f"jobs/{job.job_uid}/attempts/1/late.pt")

    await new_sweep().tick()
    assert files_in(tmp_path / "storage") == ["late.pt"]
    assert await garbage_is_due(database) == [f"{job.output_uri}/"]
    await new_sweep().tick()

    assert files_in(tmp_path / "storage") == []
    assert await garbage_is_due(database) == []


async def test_garbage_that_cannot_be_deleted_now_is_deleted_later(
    database: Database, new_sweep: Sweep, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uris = [store.put_bytes(b"1", name).uri for name in ("one", "two", "three")]
    async with database.transaction() as session:
        session.add_all(GarbageObject(uri=uri, due_at=utc_now() - timedelta(seconds=9)) for uri in uris)
    delete = ObjectStore.delete

    def fail_at_two(self: ObjectStore, uri: str) -> None:
        if uri.endswith("two"):
            raise StorageError("not now")
        delete(self, uri)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "delete", fail_at_two)
        await new_sweep().tick()
    assert files_in(tmp_path / "storage") == ["two"]

    await new_sweep().tick()

    assert files_in(tmp_path / "storage") == []
    assert await garbage_is_due(database) == []


async def test_what_a_killed_writer_left_of_a_living_job_goes_after_a_day(
    new_sweep: Sweep, store: ObjectStore, tmp_path: Path
) -> None:
    store.put_bytes(b"1", "jobs/1/whole")
    for name in ("old#1", "new#1"):
        (tmp_path / "storage/jobs/1" / name).write_bytes(b"half")
    os.utime(tmp_path / "storage/jobs/1/old#1", (0, 0))

    await new_sweep().tick()

    assert files_in(tmp_path / "storage") == ["new#1", "whole"]


async def add_dataset(
    database: Database, store: ObjectStore, owner: User, digest: str, project: Project | None
) -> Dataset:
    dataset = Dataset(name="coins", owner_id=owner.id, project_id=project.id if project else None)
    key = f"datasets/{digest}"
    for name in ("archive.zip", "manifest.txt", "samples/train/0.json"):
        store.put_bytes(b"1", f"{key}/{name}")
    async with database.transaction() as session:
        session.add(dataset)
        await session.flush()
        session.add(
            DatasetVersion(
                dataset_id=dataset.id, number=1, created_by_id=owner.id, status=DatasetStatus.READY, upload_bytes=3,
                tries=1, archive_uri=store.uri(f"{key}/archive.zip"), digest=digest, size_bytes=3, error_count=0,
                splits={"train": {"images": 2}}, task_types=[], class_names=[], warning_count=0,
            )
        )  # fmt: skip
    return dataset


async def test_a_deleted_project_frees_its_jobs_and_the_data_sets_that_nobody_else_has(
    database: Database,
    job: TrainingJob,
    make_job: MakeJob,
    project: Project,
    owner: User,
    new_sweep: Sweep,
    store: ObjectStore,
    tmp_path: Path,
) -> None:
    uid = uuid4()
    living = await make_job(job_uid=uid, output_uri=job_uri(store.url, uid), status=JobStatus.COMPLETED)
    await fill(database, store, living)
    await add_dataset(database, store, owner, "a" * 64, project)
    await add_dataset(database, store, owner, "b" * 64, project)
    await add_dataset(database, store, owner, "b" * 64, project)
    await add_dataset(database, store, owner, "c" * 64, project)
    mine = await add_dataset(database, store, owner, "c" * 64, None)
    async with database.transaction() as session:
        await delete_project(session, user=owner, project_id=project.id)

    await new_sweep().tick()
    await garbage_is_due(database)
    await new_sweep().tick()

    assert await rows_of(database) == {}
    assert [path.name for path in (tmp_path / "storage/datasets").iterdir() if files_in(path)] == ["c" * 64]
    assert files_in(tmp_path / "storage/jobs") == []
    async with database.snapshot() as session:
        assert list(await session.scalars(select(Dataset.id))) == [mine.id]


async def test_a_data_set_that_another_project_needs_becomes_its_owners(
    database: Database, make_job: MakeJob, project: Project, owner: User, store: ObjectStore
) -> None:
    dataset = await add_dataset(database, store, owner, "a" * 64, project)
    other = Project(name="other")
    async with database.transaction() as session:
        session.add(other)
    await make_job(project_id=other.id, dataset_id=dataset.id, status=JobStatus.QUEUED)

    async with database.transaction() as session:
        await delete_project(session, user=owner, project_id=project.id)

    async with database.snapshot() as session:
        assert list(await session.scalars(select(Dataset.project_id))) == [None]
        assert list(await session.scalars(select(GarbageObject.uri))) == []
