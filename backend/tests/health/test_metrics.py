"""Metrics of `/metrics`."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from support.job_rows import MakeJob

from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.main import create_app
from vision_api.models import JobStatus
from vision_api.training_jobs.instrumentation import count_dispatch
from vision_api.training_jobs.status import StatusReason, switch_status
from vision_contracts import EndReason, WaitReason

PROJECTS = "/api/v1/projects"
Samples = dict[tuple[str, ...], float]


async def _scrape(client: httpx.AsyncClient) -> Samples:
    """`(name, value of each label in alphabetic order)` → value."""
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(response.text)
    return {
        (sample.name, *map(sample.labels.get, sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


async def test_metrics_count_requests_by_flow_and_status(app: FastAPI, client: httpx.AsyncClient) -> None:
    await client.get("/health")
    await client.get(PROJECTS)
    await client.get("/api/v1/training/jobs/1/logs")
    found = await _scrape(client)
    assert found["http_requests_total", "health.get_health", "200"] == 1
    assert found["http_requests_total", "projects.list_projects", "401"] == 1
    assert found["http_requests_total", "training_jobs.get_logs", "401"] == 1
    assert found["http_request_seconds_count", "projects.list_projects"] == 1


async def test_metrics_of_production_need_their_token(settings: Settings) -> None:
    secret = "4be1c0ffee9d27a35f8016b2c4d7e9a1"
    production = {"environment": "production", "jwt_secret": secret[::-1], "service_token": secret}
    for token, given, status in (
        (None, {}, 404),
        (secret, {}, 401),
        (secret, {"Authorization": "Bearer wrong"}, 401),
        (secret, {"Authorization": f"Bearer {secret}"}, 200),
    ):
        fields = settings.model_dump() | production | {"metrics_token": token}
        app = create_app(Settings.model_validate(fields), background=False)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            assert (await client.get("/metrics", headers=given)).status_code == status


async def test_jobs_are_counted_by_status_and_reason(client: httpx.AsyncClient, make_job: MakeJob) -> None:
    long_ago = utc_now() - timedelta(minutes=5)
    await make_job(status="queued", status_reason=WaitReason.NO_FREE_SLOT, queued_at=long_ago)
    await make_job(status="queued", status_reason=WaitReason.NO_FREE_SLOT)
    await make_job(
        status="queued", queued_at=long_ago - timedelta(days=1), started_at=long_ago
    )  # queued again after a start
    await make_job(status="failed", status_reason=EndReason.NAN_LOSS)
    await make_job(status="pending", deleted_at=utc_now())
    found = await _scrape(client)
    counts = {key[1:]: value for key, value in found.items() if key[0] == "training_jobs"}
    assert counts == {
        ("small", "no_free_slot", "queued"): 2,
        ("small", "", "queued"): 1,
        ("small", "nan_loss", "failed"): 1,
    }
    assert 300 <= found["training_queue_oldest_seconds", "small"] < 400


async def test_endings_and_waits_are_counted_as_they_happen(
    client: httpx.AsyncClient, database: Database, make_job: MakeJob
) -> None:
    framework = uuid4().hex  # counters belong to the process, which other tests have counted in
    job = await make_job(status="running", framework=framework, queued_at=utc_now() - timedelta(seconds=100))
    count_dispatch(job)
    async with database.transaction() as session:
        switch_status(session, await session.merge(job), JobStatus.FAILED, StatusReason(EndReason.DISK_FULL, "full"))
    found = await _scrape(client)
    assert found["training_job_endings_total", framework, "disk_full", "failed"] == 1
    assert found["training_job_queue_wait_seconds_bucket", framework, "60.0"] == 0
    assert found["training_job_queue_wait_seconds_bucket", framework, "300.0"] == 1


async def test_database_that_is_gone_is_a_metric_too(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    app = create_app(settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/folder"}), background=False)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        found = await _scrape(client)
    assert found["database_up",] == 0
    assert ("storage_bytes", "artifacts") not in found
