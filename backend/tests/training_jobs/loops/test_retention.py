"""Old events are deleted, metrics and log lines are kept."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import func, insert, select
from support.job_rows import MakeJob

from data_kit import open_store
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import JobEvent, JobStatus, LogLine, MetricPoint, TrainingJob
from vision_api.training_jobs.loops.repository.removal import delete_expired_events
from vision_api.training_jobs.loops.retention import Retention
from vision_api.training_jobs.loops.sweep import SweepLoop

OLD, NEW = utc_now() - timedelta(days=31), utc_now() - timedelta(days=29)


async def add_rows(database: Database, job: TrainingJob) -> None:
    """Add two events, a log line and a metric point of a job."""
    of_job = {"job_id": job.id, "time": utc_now()}
    async with database.transaction() as session:
        for event_id in (1, 2):
            event = {"event_id": event_id, "type": "log", "attempt": 1, "data": {}}
            await session.execute(insert(JobEvent).values(of_job | event))
        await session.execute(
            insert(LogLine).values(of_job | {"line_id": 1, "attempt": 1, "level": "info", "message": "m"})
        )
        await session.execute(insert(MetricPoint).values(of_job | {"name": "lr", "step": 1, "epoch": 0, "value": 0.1}))


async def counts(database: Database, job: TrainingJob) -> list[int]:
    """Count the events, log lines and metric points of a job."""
    async with database.snapshot() as session:
        return [
            await session.scalar(select(func.count()).select_from(table).where(table.job_id == job.id)) or 0
            for table in (JobEvent, LogLine, MetricPoint)
        ]


def sweep(database: Database, folder: Path, event_days: int) -> SweepLoop:
    return SweepLoop(database, open_store(folder.as_uri()), Retention(event_days=event_days), owner=uuid4())


async def test_events_of_jobs_that_ended_long_ago_are_deleted(
    database: Database, make_job: MakeJob, tmp_path: Path
) -> None:
    old = await make_job(status=JobStatus.COMPLETED, completed_at=OLD)
    new = await make_job(status=JobStatus.COMPLETED, completed_at=NEW)
    paused = await make_job(status=JobStatus.PAUSED, created_at=OLD)
    for job in (old, new, paused):
        await add_rows(database, job)

    await sweep(database, tmp_path, event_days=0).tick()
    assert await counts(database, old) == [2, 1, 1]
    await sweep(database, tmp_path, event_days=30).tick()

    assert await counts(database, old) == [0, 1, 1]
    assert await counts(database, new) == [2, 1, 1]
    assert await counts(database, paused) == [2, 1, 1]


async def test_a_job_that_was_started_again_meanwhile_keeps_its_events(database: Database, make_job: MakeJob) -> None:
    job = await make_job(status=JobStatus.QUEUED)
    await add_rows(database, job)

    async with database.transaction() as session:
        await delete_expired_events(session, job.id, ended_before=utc_now())

    assert await counts(database, job) == [2, 1, 1]
