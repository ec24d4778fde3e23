"""Training jobs over HTTP: who may do what, what is decided at creation, and what is refused."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from support.common import AuthHeaders, MakeUser, counted_statements, fields_of, problem_of
from support.job_rows import MakeJob
from support.small_service import make_card, make_list

from vision_api.db.session import Database
from vision_api.models import Artifact, JobStatus, Project, ProjectMember, ProjectRole, TrainingJob, User
from vision_api.platform import platform_of
from vision_api.training_jobs import access

S = JobStatus
JOBS = "/api/v1/training/jobs"


@pytest.fixture(autouse=True)
async def catalog(app: FastAPI) -> None:
    """Two models, of which one has pretrained weights."""
    cards = [make_card("tiny"), make_card("known", pretrained_available=True)]
    await platform_of(app).catalog.put(make_list(*cards))


async def created(api: httpx.AsyncClient, wanted: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = await api.post(JOBS, json=wanted | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_new_job_is_pending_with_everything_decided(api: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    answer = await api.post(JOBS, json=wanted | {"hyperparameters": {"dropout": 0.5}, "seed": 7})

    job = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{JOBS}/{job['id']}"
    assert (job["status"], job["attempt"], job["queue_position"], job["name"]) == ("pending", 0, None, "tiny")
    assert (job["epochs"], job["batch_size"], job["learning_rate"], job["optimizer"]) == (10, 32, 0.001, "sgd")
    assert (job["initial_weights"], job["pretrained"], job["hyperparameters"]) == ("scratch", False, {"dropout": 0.5})
    assert job["output_dir"].endswith(f"/jobs/{job['job_uid']}")
    assert job["progress"] == {
        "epoch": 0, "epochs": 10, "step": 0, "steps": 0, "percent": 0.0, "eta_seconds": None,
    }  # fmt: skip
    assert job["primary_metric"] == {"name": "val/accuracy", "value": None, "direction": "max"}
    assert (await api.get(f"{JOBS}/{job['id']}")).json() == job


BAD_INPUT: list[tuple[dict[str, Any], str, str]] = [
    ({"model_name": "tinny"}, "model_unknown", "model_name"),
    ({"framework": "caffe"}, "model_unknown", "framework"),
    ({"task_type": "object_detection"}, "task_not_supported", "task_type"),
    ({"task_type": "telepathy"}, "validation_failed", "task_type"),
    ({"epochs": 0}, "validation_failed", "epochs"),
    ({"epohcs": 3}, "validation_failed", "epohcs"),
    ({"batch_size": 4.5}, "validation_failed", "batch_size"),
    ({"device": "gpu"}, "validation_failed", "device"),
    ({"priority": 11}, "validation_failed", "priority"),
    ({"pretrained": True}, "validation_failed", "pretrained"),
    ({"initial_weights": "pretrained"}, "validation_failed", "initial_weights"),
    ({"hyperparameters": {"dropuot": 0.1}}, "hyperparameters_invalid", "hyperparameters.dropuot"),
    ({"hyperparameters": {"dropout": "much"}}, "hyperparameters_invalid", "hyperparameters.dropout"),
    ({"hyperparameters": {"epochs": 3}}, "hyperparameters_invalid", "hyperparameters.epochs"),
    ({"dataset_path": "/etc"}, "dataset_path_not_allowed", "dataset_path"),
]


async def test_bad_input_is_refused_with_its_field(api: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    for change, code, field in BAD_INPUT:
        problem = problem_of(await api.post(JOBS, json=wanted | change), 422, code)
        assert field in fields_of(problem), change


async def test_settings_that_contradict_are_refused(api: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    for change in (
        {"dataset_path": None},
        {"dataset_id": 1},
        {"dataset_version": 1},
        {"pretrained": True, "initial_weights": "scratch", "model_name": "known"},
    ):
        problem_of(await api.post(JOBS, json=wanted | change), 422, "validation_failed")


async def test_a_broken_data_set_is_refused_with_the_file(
    api: httpx.AsyncClient, wanted: dict[str, Any], digits: Path
) -> None:
    (digits / "train/one/9.png").write_bytes(b"no picture")

    problem = problem_of(await api.post(JOBS, json=wanted), 422, "dataset_invalid")
    missing = problem_of(
        await api.post(JOBS, json=wanted | {"dataset_path": str(digits / "nothing")}), 422, "dataset_invalid"
    )

    assert "9.png" in problem["errors"][0]["message"]
    assert "nothing" in missing["detail"]


async def test_the_same_key_creates_one_job(api: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    key = {"Idempotency-Key": "pressed twice"}

    first = await api.post(JOBS, json=wanted, headers=key)
    second = await api.post(JOBS, json=wanted, headers=key)

    assert first.json() == second.json()
    problem_of(await api.post(JOBS, json=wanted | {"epochs": 3}, headers=key), 422, "idempotency_mismatch")
    assert (await api.get(JOBS)).headers["X-Total-Count"] == "1"


@pytest.fixture
async def viewer(
    database: Database, project: Project, make_user: MakeUser, auth_headers: AuthHeaders
) -> dict[str, str]:
    user = await make_user()
    async with database.transaction() as session:
        session.add(ProjectMember(project_id=project.id, user_id=user.id, role=ProjectRole.VIEWER))
    return await auth_headers(user)


async def test_a_viewer_reads_and_a_stranger_sees_nothing(
    api: httpx.AsyncClient,
    wanted: dict[str, Any],
    viewer: dict[str, str],
    make_user: MakeUser,
    auth_headers: AuthHeaders,
) -> None:
    job = await created(api, wanted)
    stranger = await auth_headers(await make_user())
    url = f"{JOBS}/{job['id']}"

    assert (await api.get(url, headers=viewer)).json() == job
    problem_of(await api.post(f"{url}/start", headers=viewer), 403, "forbidden")
    problem_of(await api.post(JOBS, json=wanted, headers=viewer), 403, "forbidden")
    problem_of(await api.get(url, headers=stranger), 404, "not_found")
    problem_of(await api.post(f"{url}/start", headers=stranger), 404, "not_found")
    problem_of(await api.post(JOBS, json=wanted, headers=stranger), 404, "not_found")
    assert (await api.get(JOBS, headers=stranger)).json() == []
    assert len((await api.get(JOBS, headers=viewer)).json()) == 1


async def test_a_pending_job_can_be_changed_in_everything(
    api: httpx.AsyncClient, wanted: dict[str, Any], digits: Path
) -> None:
    job = await created(api, wanted, epochs=5, notes="first")
    changes = {"model_name": "known", "pretrained": True, "epochs": None, "timeout_seconds": 60, "name": "second"}

    changed = (await api.patch(f"{JOBS}/{job['id']}", json=changes)).json()

    assert (changed["model_name"], changed["initial_weights"], changed["epochs"]) == ("known", "pretrained", 10)
    assert (changed["timeout_seconds"], changed["name"], changed["notes"]) == (60, "second", "first")
    assert (changed["dataset_path"], changed["job_uid"]) == (str(digits), job["job_uid"])
    problem_of(await api.patch(f"{JOBS}/{job['id']}", json={"dataset_version": 2}), 422, "validation_failed")


async def test_a_started_job_can_be_changed_in_its_name_notes_and_priority(
    api: httpx.AsyncClient, wanted: dict[str, Any]
) -> None:
    job = await created(api, wanted)
    await api.post(f"{JOBS}/{job['id']}/start")

    changed = await api.patch(f"{JOBS}/{job['id']}", json={"name": "a", "notes": "b", "priority": 3})

    assert [changed.json()[name] for name in ("name", "notes", "priority")] == ["a", "b", 3]
    problem_of(await api.patch(f"{JOBS}/{job['id']}", json={"epochs": 3}), 409, "invalid_transition")


async def test_an_experiment_whose_data_set_is_gone_can_still_be_named(
    api: httpx.AsyncClient, make_job: MakeJob
) -> None:
    job = await make_job(status=S.COMPLETED, dataset_path=None)

    changed = await api.patch(f"{JOBS}/{job.id}", json={"name": "The good one", "notes": "kept"})
    reset = await api.patch(f"{JOBS}/{job.id}", json={"name": None})

    assert (changed.status_code, changed.json()["name"], changed.json()["notes"]) == (200, "The good one", "kept")
    assert (reset.json()["name"], reset.json()["notes"]) == ("tiny", "kept")


async def test_started_jobs_stand_in_a_queue(api: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    first, second, urgent = [await created(api, wanted, priority=priority) for priority in (0, 0, 5)]
    for job in (first, second, urgent):
        answer = await api.post(f"{JOBS}/{job['id']}/start")
        assert answer.status_code == 202
        assert answer.json()["status"] == "queued"

    listed = (await api.get(JOBS, params={"status": "queued"})).json()

    assert {job["id"]: job["queue_position"] for job in listed} == {urgent["id"]: 1, first["id"]: 2, second["id"]: 3}
    problem_of(await api.post(f"{JOBS}/{first['id']}/start"), 409, "invalid_transition")


REQUESTS: list[tuple[JobStatus, str, str | None]] = [
    (S.PENDING, "stop", "cancelled"),
    (S.QUEUED, "stop", "cancelled"),
    (S.PAUSED, "stop", "cancelled"),
    (S.STARTING, "stop", "stopping"),
    (S.RUNNING, "stop", "stopping"),
    (S.PAUSING, "stop", "stopping"),
    (S.STOPPING, "stop", None),
    (S.COMPLETED, "stop", None),
    (S.QUEUED, "pause", "paused"),
    (S.RUNNING, "pause", "pausing"),
    (S.PAUSING, "pause", None),
    (S.PENDING, "pause", None),
    (S.PAUSED, "resume", "queued"),
    (S.RUNNING, "resume", None),
    (S.FAILED, "retry", "queued"),
    (S.COMPLETED, "retry", "queued"),
    (S.CANCELLED, "retry", "queued"),
    (S.PAUSED, "retry", None),
    (S.RUNNING, "retry", None),
]
"""Status, request, and the status that follows; None where the request is refused."""


async def test_a_job_knows_the_request_that_started_it(
    api: httpx.AsyncClient, wanted: dict[str, Any], database: Database
) -> None:
    job = await created(api, wanted)

    await api.post(f"{JOBS}/{job['id']}/start", headers={"X-Request-ID": "request-17"})

    async with database.snapshot() as session:
        assert (await session.get_one(TrainingJob, job["id"])).request_id == "request-17"


async def test_a_request_moves_a_job_or_is_refused(api: httpx.AsyncClient, make_job: MakeJob, digits: Path) -> None:
    for status, request_path, expected in REQUESTS:
        job = await make_job(status=status, attempt=1, dataset_path=str(digits), epochs=3)

        answer = await api.post(f"{JOBS}/{job.id}/{request_path}")

        if expected is None:
            problem_of(answer, 409, "invalid_transition")
        else:
            assert (answer.status_code, answer.json()["status"]) == (202, expected), (status, request_path)


async def test_a_retry_begins_anew_with_changes(api: httpx.AsyncClient, make_job: MakeJob, digits: Path) -> None:
    job = await make_job(
        status=S.FAILED, attempt=3, dataset_path=str(digits), checkpoint_uri="file:///s/9.pt", checkpoint_step=9,
        progress_step=9, progress_steps=10, accuracy=0.5, restarts=5, error_message="Use less.",
    )  # fmt: skip

    answer = await api.post(f"{JOBS}/{job.id}/retry", json={"changes": {"batch_size": 2}})

    again = answer.json()
    assert (again["id"], again["status"], again["batch_size"], again["attempt"]) == (job.id, "queued", 2, 3)
    assert (again["accuracy"], again["error_message"], again["progress"]["step"]) == (None, None, 0)


async def test_what_was_proposed_is_taken_by_a_retry(api: httpx.AsyncClient, make_job: MakeJob, digits: Path) -> None:
    job = await make_job(
        status=S.FAILED, status_reason="out_of_memory", attempt=1, dataset_path=str(digits), batch_size=16,
        proposed_changes={"batch_size": 8},
    )  # fmt: skip
    proposed = (await api.get(f"{JOBS}/{job.id}")).json()["proposed_changes"]

    again = (await api.post(f"{JOBS}/{job.id}/retry", json={"changes": proposed})).json()

    assert proposed == {"batch_size": 8}
    assert (again["status"], again["batch_size"], again["proposed_changes"]) == ("queued", 8, None)


async def test_going_on_needs_a_checkpoint(api: httpx.AsyncClient, make_job: MakeJob) -> None:
    without = await make_job(status=S.FAILED)
    with_one = await make_job(status=S.FAILED, checkpoint_uri="file:///s/9.pt", checkpoint_step=9)

    problem_of(await api.post(f"{JOBS}/{without.id}/resume"), 409, "conflict")
    problem_of(await api.post(f"{JOBS}/{without.id}/extend", json={"epochs": 9}), 409, "conflict")
    assert (await api.post(f"{JOBS}/{with_one.id}/resume")).json()["status"] == "queued"


async def test_extending_sets_a_larger_total(api: httpx.AsyncClient, make_job: MakeJob) -> None:
    job = await make_job(status=S.COMPLETED, epochs=4, checkpoint_uri="file:///s/9.pt", checkpoint_step=9)

    problem = problem_of(await api.post(f"{JOBS}/{job.id}/extend", json={"epochs": 4}), 422, "validation_failed")
    extended = (await api.post(f"{JOBS}/{job.id}/extend", json={"epochs": 6})).json()

    assert fields_of(problem) == ["epochs"]
    assert (extended["status"], extended["epochs"]) == ("queued", 6)


async def test_a_clone_is_a_new_pending_job(api: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    job = await created(api, wanted, epochs=5, hyperparameters={"dropout": 0.5})

    answer = await api.post(f"{JOBS}/{job['id']}/clone", json={"changes": {"epochs": 7}})

    copy = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{JOBS}/{copy['id']}")
    assert copy["id"] != job["id"]
    assert (copy["epochs"], copy["hyperparameters"], copy["status"]) == (7, {"dropout": 0.5}, "pending")
    problem_of(
        await api.post(f"{JOBS}/{job['id']}/clone", json={"changes": {"dataset_id": 4, "dataset_path": "/x"}}),
        422,
        "validation_failed",
    )


async def test_the_same_key_copies_once_whatever_becomes_of_the_original(
    api: httpx.AsyncClient, wanted: dict[str, Any]
) -> None:
    job, key = await created(api, wanted), {"Idempotency-Key": "pressed twice"}
    first = await api.post(f"{JOBS}/{job['id']}/clone", headers=key)
    await api.patch(f"{JOBS}/{job['id']}", json={"notes": "changed meanwhile"})

    second = await api.post(f"{JOBS}/{job['id']}/clone", headers=key)

    assert (second.status_code, second.json()) == (201, first.json())
    other = await api.post(f"{JOBS}/{job['id']}/clone", json={"changes": {"epochs": 3}}, headers=key)
    problem_of(other, 422, "idempotency_mismatch")


async def test_a_fork_starts_from_a_checkpoint(
    api: httpx.AsyncClient, database: Database, make_job: MakeJob, digits: Path
) -> None:
    job = await make_job(status=S.COMPLETED, dataset_path=str(digits))
    await add_artifact(database, job, "checkpoints/best.pt")

    fork = (await api.post(f"{JOBS}/{job.id}/fork", json={"artifact": "checkpoints/best"})).json()

    assert fork["initial_weights"] == {"job_id": job.id, "artifact": "checkpoints/best.pt"}
    unknown = await api.post(f"{JOBS}/{job.id}/fork", json={"artifact": "checkpoints/worst"})
    assert fields_of(problem_of(unknown, 422, "validation_failed")) == ["initial_weights.artifact"]


async def add_artifact(database: Database, job: TrainingJob, name: str, **fields: Any) -> None:
    defaults: dict[str, Any] = {
        "job_id": job.id, "name": name, "kind": "checkpoint", "uri": f"file:///s/{name}", "size_bytes": 10,
        "sha256": "0" * 64, "content_type": "application/octet-stream", "attempt": 1, "created_at": job.created_at,
    }  # fmt: skip
    async with database.transaction() as session:
        session.add(Artifact(**(defaults | fields)))


async def test_a_deleted_job_is_gone_at_once(api: httpx.AsyncClient, make_job: MakeJob, project: Project) -> None:
    job = await make_job(status=S.RUNNING)

    answer = await api.delete(f"{JOBS}/{job.id}")

    assert answer.status_code == 204
    for path in ("", "/metrics", "/logs", "/artifacts", "/events"):
        problem_of(await api.get(f"{JOBS}/{job.id}{path}"), 404, "not_found")
    assert (await api.get(JOBS)).json() == []
    assert (await api.get(f"/api/v1/projects/{project.id}/experiments")).json() == []


async def test_a_projects_experiments_can_be_filtered_and_paged(
    api: httpx.AsyncClient, make_job: MakeJob, project: Project
) -> None:
    path = f"/api/v1/projects/{project.id}/experiments"
    first = await make_job(name="50% off", status=S.RUNNING)
    second = await make_job(name="other", model_name="resnet18", framework="timm")
    third = await make_job(name="third", notes="see 50 cents", task_type="object_detection")

    async def ids(**filters: Any) -> list[int]:
        return [job["id"] for job in (await api.get(path, params=filters)).json()]

    assert await ids() == [third.id, second.id, first.id]
    assert await ids(q="50%") == [first.id]
    assert await ids(q="ResNet18") == [second.id]
    assert await ids(q="cents") == [third.id]
    assert await ids(status="running") == [first.id]
    assert await ids(framework="timm") == [second.id]
    assert await ids(task_type="object_detection") == [third.id]
    page = await api.get(path, params={"limit": 2})
    assert page.headers["X-Total-Count"] == "3"
    assert [job["id"] for job in (await api.get(page.links["next"]["url"])).json()] == [first.id]


async def test_the_experiments_of_all_projects_can_be_filtered(
    api: httpx.AsyncClient, database: Database, make_job: MakeJob, owner: User
) -> None:
    mine, foreign = Project(name="Letters"), Project(name="Foreign")
    async with database.transaction() as session:
        session.add_all([mine, foreign])
        await session.flush()
        session.add(ProjectMember(project_id=mine.id, user_id=owner.id, role=ProjectRole.VIEWER))
    first = await make_job(name="50% off")
    second = await make_job(name="other", model_name="resnet18", project_id=mine.id)
    third = await make_job(name="third", notes="see 50 cents", task_type="object_detection", project_id=mine.id)
    await make_job(name="50% resnet18", notes="cents", task_type="object_detection", project_id=foreign.id)

    async def ids(**filters: Any) -> list[int]:
        return [job["id"] for job in (await api.get(JOBS, params=filters)).json()]

    assert await ids() == [third.id, second.id, first.id]
    assert await ids(q="50") == [third.id, first.id]
    assert await ids(q="50%") == [first.id]
    assert await ids(q="ResNet18") == [second.id]
    assert await ids(q="cents") == [third.id]
    assert await ids(task_type="object_detection") == [third.id]
    assert await ids(task_type="image_classification") == [second.id, first.id]
    assert await ids(task_type="image_classification", q="50") == [first.id]
    assert await ids(project_id=mine.id, q="50") == [third.id]
    problem = problem_of(await api.get(JOBS, params={"task_type": "telepathy"}), 422, "validation_failed")
    assert fields_of(problem) == ["task_type"]


async def test_a_list_takes_the_same_statements_however_many_jobs(
    api: httpx.AsyncClient, database: Database, app: FastAPI, make_job: MakeJob, project: Project
) -> None:
    counts: list[int] = []
    for _ in range(2):
        for _ in range(3):
            await make_job(status=S.QUEUED)
        with counted_statements(app) as statements:
            assert (await api.get(f"/api/v1/projects/{project.id}/experiments")).status_code == 200
        counts.append(len(statements))

    assert counts == [4, 4]  # user, role, page with its total, queue


async def test_queued_jobs_of_a_user_are_bounded(
    api: httpx.AsyncClient, wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "MOST_QUEUED", 1)
    first, second = await created(api, wanted), await created(api, wanted)
    assert (await api.post(f"{JOBS}/{first['id']}/start")).status_code == 202

    problem = problem_of(await api.post(f"{JOBS}/{second['id']}/start"), 429, "quota_exceeded")

    assert problem["errors"][0]["params"] == {"limit": 1, "used": 1}
    assert (await api.get(f"{JOBS}/{second['id']}")).json()["status"] == "pending"
    assert (await api.post(f"{JOBS}/{first['id']}/stop")).status_code == 202
    assert (await api.post(f"{JOBS}/{second['id']}/start")).status_code == 202
