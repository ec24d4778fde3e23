"""Whole lives of jobs: the loops, a real training service, real runners and trainers."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.fake_service import FakeService
from support.job_rows import Becomes, MakeJob, reload
from support.waiting import until

from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import Artifact, JobStatus, MetricPoint, TrainingJob
from vision_api.training_jobs.loops.event_collector import LossTimeouts
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.repository import get_job_for_update, list_events
from vision_api.training_jobs.status import switch_status

Backend = Callable[..., AbstractAsyncContextManager[Notifier]]

STEPS_PER_EPOCH = 4


async def request_status(database: Database, job: TrainingJob, status: JobStatus) -> None:
    """Write the status that a user's request writes."""
    async with database.transaction() as session:
        row = await get_job_for_update(session, job.id)
        assert row is not None
        switch_status(session, row, status)


async def events_of(database: Database, job: TrainingJob) -> list[tuple[str, dict[str, Any]]]:
    """Return every event; their ids must be consecutive."""
    async with database.snapshot() as session:
        events = await list_events(session, job.id, after=0, limit=10_000)
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    return [(event.type, event.data) for event in events]


async def statuses_of(database: Database, job: TrainingJob) -> list[str]:
    """Return the statuses that a job had, without repetitions."""
    statuses = [data["status"] for kind, data in await events_of(database, job) if kind == "status"]
    return [status for index, status in enumerate(statuses) if index == 0 or statuses[index - 1] != status]


async def assert_every_point_is_there_once(
    database: Database, job: TrainingJob, *, epochs: int, was_paused: bool = False
) -> None:
    """A pause after the last step of an epoch comes before its validation, which is then never made."""
    async with database.snapshot() as session:
        points = await session.execute(
            select(MetricPoint.name, MetricPoint.step).where(MetricPoint.job_id == job.id).order_by(MetricPoint.step)
        )
        found: dict[str, list[int]] = {}
        for name, step in points:
            found.setdefault(name, []).append(step)
    assert found["train/loss"] == list(range(1, epochs * STEPS_PER_EPOCH + 1))
    validated = [epoch * STEPS_PER_EPOCH for epoch in range(1, epochs + 1)]
    assert found["val/accuracy"] == validated or (was_paused and set(found["val/accuracy"]) < set(validated))


@pytest.mark.one_database
async def test_a_job_waits_for_its_service_and_trains_to_the_end(
    database: Database, service: FakeService, backend: Backend, make_fake_job: MakeJob, becomes: Becomes
) -> None:
    await service.end()
    async with backend(service):
        job = await make_fake_job(epochs=2)
        await becomes(job, lambda row: row.status_reason == "service_unavailable")
        await service.start()
        done = await becomes(job, "completed")

    assert (done.attempt, done.num_classes, done.progress_epoch, done.progress_step) == (1, 2, 2, 8)
    assert (done.accuracy, done.primary_value) == (1.0, 1.0)
    await assert_every_point_is_there_once(database, job, epochs=2)
    assert await statuses_of(database, job) == ["queued", "starting", "running", "completed"]
    assert (await events_of(database, job))[-1][0] == "end"
    async with database.snapshot() as session:
        names = set(await session.scalars(select(Artifact.name).where(Artifact.job_id == job.id)))
    assert names >= {"checkpoints/best.npz", "checkpoints/last.npz"}


@pytest.mark.one_database
async def test_a_paused_job_goes_on_from_its_checkpoint_and_can_be_stopped_and_deleted(
    database: Database,
    service: FakeService,
    backend: Backend,
    make_fake_job: MakeJob,
    becomes: Becomes,
    tmp_path: Path,
) -> None:
    async with backend(service) as notifier:
        job = await make_fake_job(epochs=100, hyperparameters={"step_seconds": 0.1})
        await becomes(job, lambda row: row.progress_step >= 2)
        await request_status(database, job, JobStatus.PAUSING)
        paused = await becomes(job, "paused")
        assert paused.checkpoint_step is not None
        await request_status(database, job, JobStatus.QUEUED)
        notifier.wake_loops()
        resumed = await becomes(job, lambda row: row.status == "running" and row.attempt == 2)
        await becomes(job, lambda row: row.progress_step > (paused.checkpoint_step or 0) + 1)
        await request_status(database, job, JobStatus.STOPPING)
        stopped = await becomes(job, "cancelled")
        assert (resumed.restarts, stopped.status_reason) == (0, "stopped_by_user")
        files = tmp_path / f"storage/jobs/{job.job_uid}"
        assert files.is_dir()
        async with database.transaction() as session:
            (await reload(session, job)).deleted_at = utc_now()
        await gone(database, job)
        await holds_nothing(service)

    assert not files.exists()


async def gone(database: Database, job: TrainingJob) -> None:
    for _ in range(400):
        async with database.snapshot() as session:
            if await session.get(TrainingJob, job.id) is None:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("the deleted job is still there")


async def holds_nothing(service: FakeService) -> None:
    """The service's disk is free again."""
    await until(lambda: not any((service.folder / "jobs").iterdir()), within_seconds=20)


@pytest.mark.one_database
async def test_neither_a_new_backend_nor_a_new_service_process_loses_anything(
    database: Database, service: FakeService, backend: Backend, make_fake_job: MakeJob, becomes: Becomes
) -> None:
    job = await make_fake_job(epochs=6, hyperparameters={"step_seconds": 0.1})
    async with backend(service):
        await becomes(job, lambda row: row.progress_step >= 2)
    async with backend(service, loss_timeouts=LossTimeouts()):
        await becomes(job, lambda row: row.progress_step >= 6)
        await service.end(signal.SIGKILL)
        await service.start()
        done = await becomes(job, "completed")

    assert (done.attempt, done.restarts) == (1, 0)
    await assert_every_point_is_there_once(database, job, epochs=6)


@pytest.mark.one_database
async def test_a_vanished_service_is_replaced_and_its_ghost_is_stopped(
    database: Database,
    service: FakeService,
    backend: Backend,
    make_fake_job: MakeJob,
    becomes: Becomes,
    tmp_path: Path,
) -> None:
    other = FakeService(tmp_path / "other", service.storage_url, service.datasets)
    job = await make_fake_job(epochs=8, hyperparameters={"step_seconds": 0.1})
    async with backend(service, other):
        await becomes(job, lambda row: row.checkpoint_step is not None)
        await service.end(signal.SIGKILL)
        await other.start()
        again = await becomes(job, lambda row: row.attempt == 2 and row.status == "running")
        await service.start()
        done = await becomes(job, "completed")
        await holds_nothing(service)
    await other.end()

    assert (again.restarts, done.attempt) == (1, 2)
    await assert_every_point_is_there_once(database, job, epochs=8)


@pytest.mark.one_database
async def test_when_the_platform_stops_its_jobs_are_paused_and_go_on_at_the_next_start(
    database: Database, service: FakeService, backend: Backend, make_fake_job: MakeJob, becomes: Becomes
) -> None:
    job = await make_fake_job(epochs=3, hyperparameters={"step_seconds": 0.1})
    async with backend(service, local=True):
        await becomes(job, lambda row: row.progress_step >= 2)
    waiting = await becomes(job, "queued", within_seconds=0)
    async with backend(service, local=True):
        done = await becomes(job, "completed")

    assert (waiting.status_reason, waiting.checkpoint_uri is None) == ("platform_stopped", False)
    assert (done.attempt, done.restarts) == (2, 0)
    await assert_every_point_is_there_once(database, job, epochs=3, was_paused=True)


@pytest.mark.one_database
async def test_what_a_service_refuses_has_failed_with_its_words(
    database: Database, service: FakeService, backend: Backend, make_fake_job: MakeJob, becomes: Becomes
) -> None:
    async with backend(service):
        job = await make_fake_job(dataset_uri="file:///not/there")
        failed = await becomes(job, "failed")

    assert (failed.status_reason, failed.attempt) == ("bad_data", 1)
    assert "/not/there" in (failed.error_message or "")


async def test_two_backends_start_every_job_once(
    database: Database,
    service: FakeService,
    backend: Backend,
    make_fake_job: MakeJob,
    becomes: Becomes,
) -> None:
    if database.is_sqlite:
        pytest.skip("a lock on DATA_DIR keeps a second backend away from SQLite")
    jobs = [await make_fake_job(epochs=1) for _ in range(4)]
    async with backend(service), backend(service):
        done = [await becomes(job, "completed") for job in jobs]

    assert [job.attempt for job in done] == [1, 1, 1, 1]
    for job in jobs:
        await assert_every_point_is_there_once(database, job, epochs=1)
        assert await statuses_of(database, job) == ["queued", "starting", "running", "completed"]
