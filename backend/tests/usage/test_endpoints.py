"""Usage over HTTP."""

from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from support.common import AuthHeaders, MakeUser, problem_of
from support.stored_jobs import StoreJob, store_dataset

from data_kit import ObjectStore, StorageError
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import LogLine, Project, User


async def test_an_empty_project_uses_nothing(api: httpx.AsyncClient, project: Project) -> None:
    assert (await api.get(f"/api/v1/projects/{project.id}/usage")).json() == {
        "project_id": project.id, "total_bytes": 0, "artifacts_bytes": 0, "checkpoints_bytes": 0, "datasets_bytes": 0,
        "training_state_bytes": 0,
        "models_bytes": 0, "deleted_bytes": 0, "job_count": 0, "jobs": [],
    }  # fmt: skip


async def test_a_project_shows_its_largest_experiments(
    api: httpx.AsyncClient,
    database: Database,
    store: ObjectStore,
    project: Project,
    owner: User,
    make_stored_job: StoreJob,
) -> None:
    job = await make_stored_job(name="big")
    await make_stored_job(name="second")
    await make_stored_job(name="gone", deleted_at=utc_now())
    for digest, home in (("a", project), ("a", project), ("b", project), ("c", None)):
        await store_dataset(database, store, owner, digest * 64, home)

    usage: dict[str, Any] = (await api.get(f"/api/v1/projects/{project.id}/usage?limit=1")).json()

    [shown] = usage.pop("jobs")
    assert usage == {
        "project_id": project.id, "total_bytes": 630 + 2000, "artifacts_bytes": 420, "checkpoints_bytes": 400,
        "training_state_bytes": 0, "datasets_bytes": 2000, "models_bytes": 0, "deleted_bytes": 210, "job_count": 2,
    }  # fmt: skip
    assert (shown["total_bytes"], shown["checkpoints_bytes"], shown["files"]) == (210, 200, 3)
    assert (shown["name"], shown["status"]) == ("second", "completed")
    both = (await api.get(f"/api/v1/projects/{project.id}/usage")).json()["jobs"]
    assert [each["job_id"] for each in both] == [shown["job_id"], job.id]


async def test_a_job_shows_its_objects_in_storage(
    api: httpx.AsyncClient, database: Database, make_stored_job: StoreJob
) -> None:
    job = await make_stored_job()
    line = {"attempt": 1, "time": utc_now(), "level": "info", "message": "m"}
    async with database.transaction() as session:
        await session.execute(insert(LogLine), [{"job_id": job.id, "line_id": index} | line for index in (1, 2)])

    assert (await api.get(f"/api/v1/training/jobs/{job.id}/usage")).json() == {
        "job_id": job.id, "name": "tiny", "status": "completed", "total_bytes": 267, "checkpoints_bytes": 200,
        "training_state_bytes": 0, "kinds": {"checkpoint": 200, "report": 10}, "files": 5,
        "superseded_bytes": 50, "unlisted_bytes": 7,
        "database_rows": {"events": 0, "log_lines": 2, "metric_points": 0},
    }  # fmt: skip


async def test_a_job_whose_files_are_elsewhere_uses_nothing_here(
    api: httpx.AsyncClient, make_stored_job: StoreJob
) -> None:
    job = await make_stored_job(output_uri="s3://elsewhere/jobs/1")

    assert (await api.get(f"/api/v1/training/jobs/{job.id}/usage")).json()["total_bytes"] == 0


async def test_a_storage_that_does_not_answer_is_a_problem(
    api: httpx.AsyncClient, make_stored_job: StoreJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise StorageError("not now")

    job = await make_stored_job()
    monkeypatch.setattr(ObjectStore, "list", refuse)

    problem_of(await api.get(f"/api/v1/training/jobs/{job.id}/usage"), 503, "storage_unavailable")


async def test_a_stranger_sees_nothing(
    api: httpx.AsyncClient,
    project: Project,
    make_stored_job: StoreJob,
    make_user: MakeUser,
    auth_headers: AuthHeaders,
) -> None:
    job = await make_stored_job()
    stranger = await auth_headers(await make_user())

    for path in (f"projects/{project.id}", f"training/jobs/{job.id}"):
        problem_of(await api.get(f"/api/v1/{path}/usage", headers=stranger), 404, "not_found")
