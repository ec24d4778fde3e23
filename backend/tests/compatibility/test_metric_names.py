"""Dashboards and alerts ask for metrics by name, type and label: they are those of the snapshot."""

from datetime import timedelta

import httpx
import pytest
from compatibility.facts import metric_facts
from compatibility.snapshots import load
from support.job_rows import job_fields

from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import JobStatus, TrainingJob, User
from vision_api.training_jobs import instrumentation
from vision_api.training_jobs.status import StatusReason, switch_status
from vision_contracts import EndReason, metric_names

ADDED = frozenset({"disk_free_bytes", "disk_reserve_bytes"})
"""Metrics that the snapshot does not have."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A framework whose service does not answer has metrics too."""
    return settings.model_copy(update={"service_urls": {"small": ("http://127.0.0.1:9",)}})


@pytest.fixture
async def job(database: Database, owner: User) -> TrainingJob:
    """One that has failed, after everything that is counted along the way."""
    job = TrainingJob(
        **job_fields(created_by_id=owner.id, status="running", queued_at=utc_now() - timedelta(seconds=9))
    )
    instrumentation.count_dispatch(job)
    instrumentation.count_metrics(job, {metric_names.EPOCH_SECONDS: 1.0})
    instrumentation.observe_stored(utc_now())
    instrumentation.RESTARTS.labels(job.framework).inc()
    async with database.transaction() as session:
        session.add(job)
        await session.flush()
        switch_status(session, job, JobStatus.FAILED, StatusReason(EndReason.DISK_FULL, "full"))
    return job


@pytest.mark.usefixtures("job")
async def test_metrics_are_those_of_the_snapshot(client: httpx.AsyncClient) -> None:
    await client.get("/health")

    facts = metric_facts((await client.get("/metrics")).text)

    assert {name: facts[name] for name in facts if name not in ADDED} == load("metrics.json")
