"""Registered results: names, stages, and a life beyond their experiments."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from support.common import AuthHeaders, MakeUser, fields_of, problem_of
from support.trained_jobs import DIGEST, WEIGHTS, TrainJob, make_report

from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.model_registry import use_cases, workflows
from vision_api.models import GarbageObject, ModelVersion, Project, ProjectMember, TrainingJob
from vision_api.platform import platform_of
from vision_api.training_jobs.loops import sweep
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION
from vision_api.training_jobs.loops.sweep import SweepLoop


@pytest.fixture
def url(project: Project) -> str:
    return f"/api/v1/projects/{project.id}/models"


async def _register(api: httpx.AsyncClient, url: str, job: TrainingJob, **fields: Any) -> dict[str, Any]:
    answer = await api.post(url, json={"name": "reader", "job_id": job.id} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _sweep(app: FastAPI, monkeypatch: pytest.MonkeyPatch, *, after: timedelta = timedelta(0)) -> None:
    """Run a round of the sweep, as if so much time had passed."""
    monkeypatch.setattr(sweep, "SEEN_AS_DELETED", timedelta(0))
    monkeypatch.setattr(sweep, "utc_now", lambda: utc_now() + after)
    await SweepLoop(platform_of(app).database, platform_of(app).store, DEFAULT_RETENTION, owner=uuid4()).tick()


def _files(tmp_path: Path, folder: str) -> list[str]:
    return sorted(path.name for path in (tmp_path / "storage" / folder).rglob("*") if path.is_file())


async def test_a_result_gets_a_name_and_its_whole_lineage(
    api: httpx.AsyncClient, url: str, train_job: TrainJob, project: Project
) -> None:
    job = await train_job(accuracies=[0.5, 0.8], report=make_report({"cat": 0.9, "dog": 0.7}), seed=7)

    answer = await api.post(url, json={"name": "reader", "job_id": job.id, "notes": "first"})
    version = answer.json()

    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{url}/reader/versions/1"
    assert (await api.get(answer.headers["Location"])).json() == version
    assert (version["reference"], version["stage"], version["notes"]) == ("Digits/reader:1", "none", "first")
    assert (version["artifact"], version["size_bytes"]) == ("checkpoints/best.pt", len(WEIGHTS))
    lineage = version["lineage"]
    assert (lineage["job"]["id"], lineage["job"]["uid"]) == (job.id, str(job.job_uid))
    assert (lineage["file"]["step"], lineage["file"]["attempt"]) == (8, 1)
    assert (lineage["dataset"]["digest"], lineage["dataset"]["validation_split"]) == (DIGEST, "val")
    assert lineage["environment"]["versions"] == {"torch": "2.15.0"}
    assert (lineage["settings"]["seed"], lineage["settings"]["optimizer"]) == (7, "sgd")
    assert lineage["report"] == "read"
    assert lineage["metrics"]["val/accuracy"] == pytest.approx(0.8)
    assert lineage["metrics"]["val/loss"] == pytest.approx(0.2)
    [listed] = (await api.get(url)).json()
    assert listed | {"created_at": "", "updated_at": ""} == {
        "project_id": project.id, "name": "reader", "latest_version": 1, "production_version": None,
        "version_count": 1, "created_at": "", "updated_at": "",
    }  # fmt: skip
    assert (await api.get(f"{url}/reader")).json() == listed


async def test_weights_are_downloaded_whole_or_in_part(api: httpx.AsyncClient, url: str, train_job: TrainJob) -> None:
    await _register(api, url, await train_job(), name="숫자-reader.v2", stage="production")
    path = f"{url}/숫자-reader.v2/versions/production/download"

    whole = await api.get(path)
    part = await api.get(path, headers={"Range": "bytes=0-4"})

    assert (whole.status_code, whole.content) == (200, WEIGHTS)
    assert whole.headers["Content-Disposition"].endswith("-reader.v2-1.pt")
    assert (part.status_code, part.content) == (206, WEIGHTS[:5])
    assert fields_of(problem_of(await api.get(path, params={"presign": 1}), 422, "validation_failed")) == ["presign"]


async def test_a_version_outlives_its_experiment(
    api: httpx.AsyncClient, app: FastAPI, url: str, train_job: TrainJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await train_job()
    version = await _register(api, url, job)

    await api.delete(f"/api/v1/training/jobs/{job.id}")
    await _sweep(app, monkeypatch)
    await _sweep(app, monkeypatch, after=timedelta(days=3))

    assert _files(tmp_path, "jobs") == []
    assert (await api.get(f"{url}/reader/versions/1")).json() == version | {"job_id": None}
    assert (await api.get(f"{url}/reader/versions/1/download")).content == WEIGHTS


async def test_one_version_is_in_production(api: httpx.AsyncClient, url: str, train_job: TrainJob) -> None:
    job = await train_job()
    for stage in ("production", "staging", "none"):
        await _register(api, url, job, stage=stage)

    async def stages() -> list[str]:
        return [version["stage"] for version in (await api.get(f"{url}/reader/versions")).json()]

    assert await stages() == ["none", "staging", "production"]
    moved = await api.patch(f"{url}/reader/versions/2", json={"stage": "production", "notes": "better"})
    assert (moved.status_code, moved.json()["stage"], moved.json()["notes"]) == (200, "production", "better")
    assert await stages() == ["none", "production", "archived"]
    await _register(api, url, job, stage="production")
    assert await stages() == ["production", "none", "archived", "archived"]
    assert (await api.get(f"{url}/reader")).json()["production_version"] == 4
    assert (await api.get(f"{url}/reader/versions/latest")).json()["version"] == 4
    problem_of(await api.delete(f"{url}/reader/versions/4"), 409, "in_use")
    problem_of(await api.patch(f"{url}/reader/versions/1", json={"stage": None}), 422, "validation_failed")
    problem_of(await api.patch(f"{url}/reader/versions/9", json={"stage": "none"}), 404, "not_found")


async def test_a_deleted_version_is_freed_and_its_number_does_not_come_back(
    api: httpx.AsyncClient, app: FastAPI, url: str, train_job: TrainJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await train_job()
    await _register(api, url, job)

    assert (await api.delete(f"{url}/reader/versions/1")).status_code == 204

    problem_of(await api.get(f"{url}/reader/versions/1"), 404, "not_found")
    problem_of(await api.get(f"{url}/reader"), 404, "not_found")
    assert (await api.get(url)).json() == []
    await _sweep(app, monkeypatch, after=timedelta(hours=2))
    assert _files(tmp_path, "models") == []
    assert (await _register(api, url, job))["version"] == 2
    assert _files(tmp_path, "jobs") == ["best.pt"]


async def test_a_project_takes_its_models_with_it(
    api: httpx.AsyncClient, app: FastAPI, url: str, train_job: TrainJob, project: Project, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    await _register(api, url, await train_job())
    usage = (await api.get(f"/api/v1/projects/{project.id}/usage")).json()
    assert (usage["models_bytes"], usage["total_bytes"]) == (len(WEIGHTS), 2 * len(WEIGHTS))

    assert (await api.delete(f"/api/v1/projects/{project.id}")).status_code == 204

    await _sweep(app, monkeypatch, after=timedelta(hours=2))
    assert _files(tmp_path, "models") == []


async def test_concurrent_registrations_get_a_number_each(
    api: httpx.AsyncClient, database: Database, url: str, train_job: TrainJob
) -> None:
    job = await train_job()
    made = await asyncio.gather(*(_register(api, url, job, stage="production") for _ in range(5)))
    assert sorted(version["version"] for version in made) == [1, 2, 3, 4, 5]

    moved = await asyncio.gather(
        *(api.patch(f"{url}/reader/versions/{number}", json={"stage": "production"}) for number in range(1, 6))
    )

    assert [answer.status_code for answer in moved] == [200] * 5
    async with database.snapshot() as session:
        stages = list(await session.scalars(select(ModelVersion.stage)))
    assert sorted(stages) == ["archived"] * 4 + ["production"]


async def test_a_request_that_is_sent_again_registers_once(
    api: httpx.AsyncClient, app: FastAPI, url: str, train_job: TrainJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"name": "reader", "job_id": (await train_job()).id}
    first, again = [await api.post(url, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    other = await api.post(url, json=body | {"name": "x"}, headers={"Idempotency-Key": "k"})

    assert (first.status_code, again.json()) == (201, first.json())
    problem_of(other, 422, "idempotency_mismatch")
    await _sweep(app, monkeypatch, after=timedelta(hours=12))
    assert len(_files(tmp_path, "models")) == 1
    assert (await api.get(f"{url}/reader/versions/1/download")).content == WEIGHTS


class Killed(BaseException):
    """A kill, which no handler catches."""


async def test_a_killed_registration_leaves_no_files(
    api: httpx.AsyncClient, app: FastAPI, url: str, train_job: TrainJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await train_job()

    async def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(use_cases, "add_version", die)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - the client wraps it
            await api.post(url, json={"name": "reader", "job_id": job.id})
    assert len(_files(tmp_path, "models")) == 1

    await _sweep(app, monkeypatch, after=timedelta(hours=12))

    assert _files(tmp_path, "models") == []


async def test_a_copy_that_the_sweep_may_be_deleting_is_not_registered(
    api: httpx.AsyncClient, app: FastAPI, database: Database, url: str, train_job: TrainJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A copy that took hours, and weights that are deleted at the same moment."""
    job = await train_job()
    copy = workflows._copy_weights

    async def slow(*given: Any) -> None:
        await copy(*given)
        async with database.transaction() as session:
            await session.execute(update(GarbageObject).values(due_at=utc_now()))

    with monkeypatch.context() as patched:
        patched.setattr(workflows, "_copy_weights", slow)
        problem_of(await api.post(url, json={"name": "reader", "job_id": job.id}), 409, "conflict")
    store = platform_of(app).store
    store.delete_prefix(f"jobs/{job.job_uid}")
    problem_of(await api.post(url, json={"name": "reader", "job_id": job.id}), 409, "conflict")
    assert (await api.get(url)).json() == []


async def test_a_result_of_another_project_is_refused(
    api: httpx.AsyncClient, database: Database, url: str, train_job: TrainJob
) -> None:
    other = Project(name="other")
    async with database.transaction() as session:
        session.add(other)
    job = await train_job()
    unseen = await train_job(project_id=other.id)
    running, retried = await train_job(status="running"), await train_job(status="failed", checkpoint_uri=None)

    async def refused(status: int, code: str, **fields: Any) -> list[str]:
        problem = problem_of(await api.post(url, json={"name": "a", "job_id": job.id} | fields), status, code)
        return fields_of(problem) if status == 422 else []

    for name in ("", "a/b", "a:1", ".hidden", "a b", "x" * 101, "a\n"):
        assert await refused(422, "validation_failed", name=name) == ["name"]
    for job_id in (unseen.id, 10**9):
        assert await refused(422, "validation_failed", job_id=job_id) == ["job_id"]
    assert await refused(422, "validation_failed", artifact="checkpoints/other") == ["artifact"]
    assert await refused(422, "validation_failed", stage="live") == ["stage"]
    for unfinished in (running, retried):
        await refused(409, "conflict", job_id=unfinished.id)


async def test_viewers_look_and_strangers_see_nothing(
    api: httpx.AsyncClient, database: Database, url: str, project: Project, train_job: TrainJob, make_user: MakeUser,
    auth_headers: AuthHeaders,
) -> None:  # fmt: skip
    job = await train_job()
    await _register(api, url, job)
    viewer, stranger = await make_user(), await make_user()
    async with database.transaction() as session:
        session.add(ProjectMember(project_id=project.id, user_id=viewer.id, role="viewer"))
    looking, outside = await auth_headers(viewer), await auth_headers(stranger)
    version = f"{url}/reader/versions/1"

    for path in (url, f"{url}/reader", f"{url}/reader/versions", version, f"{version}/download"):
        assert (await api.get(path, headers=looking)).status_code == 200
        problem_of(await api.get(path, headers=outside), 404, "not_found")
    body = {"name": "reader", "job_id": job.id}
    for headers, status, code in ((looking, 403, "forbidden"), (outside, 404, "not_found")):
        problem_of(await api.post(url, json=body, headers=headers), status, code)
        problem_of(await api.patch(version, json={"stage": "none"}, headers=headers), status, code)
        problem_of(await api.delete(version, headers=headers), status, code)
