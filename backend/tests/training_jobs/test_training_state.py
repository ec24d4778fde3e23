"""The training state of a job: with its newest checkpoint alone, until it is trimmed."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select
from support.common import AuthHeaders, MakeUser, problem_of
from support.job_rows import MakeJob, reload

from data_kit import ObjectStore, open_store
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import Artifact, GarbageObject, JobStatus, Project, ProjectMember, TrainingJob
from vision_api.storage_layout import job_uri
from vision_api.training_jobs.loops.event_batch import EventBatch
from vision_api.training_jobs.loops.job_specs import make_spec
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION, Retention
from vision_api.training_jobs.loops.sweep import SweepLoop
from vision_contracts import Checkpoint, EventBody, Finished, JobEvent, StoredState

S = JobStatus
API = "/api/v1/training/jobs"


def checkpoint(store: ObjectStore, job: TrainingJob, step: int, *, has_state: bool = True) -> Checkpoint:
    folder = f"jobs/{job.job_uid}/attempts/1"
    weights = store.put_bytes(b"w" * 100, f"{folder}/checkpoints/{step}-last.pt")
    state = store.put_bytes(b"s" * 200, f"{folder}/training-state/{step}-last.pt") if has_state else None
    return Checkpoint(
        name="checkpoints/last.pt", uri=weights.uri, step=step, epoch=step, is_best=step == 1, sha256=weights.sha256,
        size_bytes=100, state=state and StoredState(uri=state.uri, sha256=state.sha256, size_bytes=200),
    )  # fmt: skip


async def apply(database: Database, job: TrainingJob, *bodies: EventBody) -> TrainingJob:
    async with database.transaction() as session:
        row = await reload(session, job)
        events: Sequence[JobEvent] = [
            JobEvent(seq=row.service_cursor + index, attempt=row.attempt, time=utc_now(), body=body)
            for index, body in enumerate(bodies, start=1)
        ]
        await EventBatch(session, row, DEFAULT_RETENTION).apply(events)
    return row


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    """The storage of the application."""
    return open_store(settings.storage_url)


@pytest.fixture
async def running(make_job: MakeJob, store: ObjectStore) -> TrainingJob:
    uid = uuid4()
    return await make_job(
        status=S.RUNNING, attempt=1, started_at=utc_now(), job_uid=uid, output_uri=job_uri(store.url, uid)
    )


@pytest.fixture
async def job(database: Database, store: ObjectStore, running: TrainingJob) -> TrainingJob:
    """A completed job with two checkpoints, of which the first one is the best."""
    first, last = checkpoint(store, running, 1), checkpoint(store, running, 2)
    return await apply(database, running, first, last, Finished())


async def stored_states(database: Database, store: ObjectStore, job: TrainingJob) -> list[int]:
    """The steps of the states that lie in storage once garbage is deleted."""
    sweep = SweepLoop(database, store, Retention(event_days=0, state_days=0), owner=uuid4())
    async with database.transaction() as session:
        for garbage in await session.scalars(select(GarbageObject)):
            garbage.due_at = utc_now() - timedelta(seconds=1)
    await sweep.tick()
    found = store.list(f"jobs/{job.job_uid}/attempts/1/training-state")
    return sorted(int(one.uri.rpartition("/")[2].split("-")[0]) for one in found)


async def test_state_of_the_newest_checkpoint_alone_is_kept(
    database: Database, store: ObjectStore, job: TrainingJob
) -> None:
    assert await stored_states(database, store, job) == [2]


async def test_resume_gets_checkpoint_and_state_of_the_same_step(
    database: Database, store: ObjectStore, running: TrainingJob
) -> None:
    newest = checkpoint(store, running, 2)
    row = await apply(database, running, checkpoint(store, running, 1), newest)
    async with database.snapshot() as session:
        spec = await make_spec(session, row)

    assert newest.state is not None
    assert (spec.resume_from_uri, spec.resume_state_uri) == (newest.uri, newest.state.uri)


async def test_checkpoint_that_holds_its_state_itself_replaces_one_that_does_not(
    database: Database, store: ObjectStore, running: TrainingJob
) -> None:
    row = await apply(database, running, checkpoint(store, running, 1), checkpoint(store, running, 2, has_state=False))
    async with database.snapshot() as session:
        assert (await make_spec(session, row)).resume_state_uri is None


async def test_trimming_frees_the_state_and_keeps_the_weights(
    api: httpx.AsyncClient, database: Database, store: ObjectStore, job: TrainingJob
) -> None:
    before = (await api.get(f"{API}/{job.id}")).json()
    answers = [(await api.delete(f"{API}/{job.id}/training-state")).status_code for _ in range(2)]
    after = (await api.get(f"{API}/{job.id}")).json()

    assert (before["training_state"], answers, after["training_state"]) == ("kept", [204, 204], "trimmed")
    assert await stored_states(database, store, job) == []
    names = [one["name"] for one in (await api.get(f"{API}/{job.id}/artifacts")).json()]
    assert names == ["checkpoints/best.pt", "checkpoints/last.pt"]
    assert (await api.get(f"{API}/{job.id}/artifacts/checkpoints/best.pt")).content == b"w" * 100


async def test_extending_a_trimmed_job_says_what_begins_anew(
    api: httpx.AsyncClient, database: Database, job: TrainingJob
) -> None:
    await api.delete(f"{API}/{job.id}/training-state")

    extended = (await api.post(f"{API}/{job.id}/extend", json={"epochs": 9})).json()

    assert extended["status"] == "queued"
    assert "continues from the weights of step 2, with a new optimizer" in extended["status_message"]
    async with database.snapshot() as session:
        spec = await make_spec(session, await reload(session, job))
    assert spec.resume_from_uri == job.checkpoint_uri
    assert spec.resume_state_uri is None


async def test_next_checkpoint_of_a_trimmed_job_has_a_state_again(
    api: httpx.AsyncClient, database: Database, store: ObjectStore, job: TrainingJob
) -> None:
    await api.delete(f"{API}/{job.id}/training-state")
    async with database.transaction() as session:
        row = await reload(session, job)
        row.status, row.completed_at = S.RUNNING, None
    await apply(database, job, checkpoint(store, job, 3), Finished())

    assert (await api.get(f"{API}/{job.id}")).json()["training_state"] == "kept"
    assert await stored_states(database, store, job) == [3]


@pytest.mark.parametrize("status", [S.PENDING, S.QUEUED, S.RUNNING, S.PAUSED])
async def test_job_that_has_not_ended_is_not_trimmed(
    api: httpx.AsyncClient, make_job: MakeJob, status: JobStatus
) -> None:
    job = await make_job(status=status)

    problem_of(await api.delete(f"{API}/{job.id}/training-state"), 409, "invalid_transition")
    assert (await api.get(f"{API}/{job.id}")).json()["training_state"] is None


async def test_checkpoint_of_an_older_service_cannot_be_trimmed(
    api: httpx.AsyncClient, database: Database, store: ObjectStore, running: TrainingJob
) -> None:
    await apply(database, running, checkpoint(store, running, 1, has_state=False), Finished())

    problem = problem_of(await api.delete(f"{API}/{running.id}/training-state"), 409, "conflict")
    assert "in one file" in problem["detail"]
    assert (await api.get(f"{API}/{running.id}")).json()["training_state"] == "kept"


async def test_viewer_and_stranger_trim_nothing(
    client: httpx.AsyncClient,
    database: Database,
    project: Project,
    job: TrainingJob,
    make_user: MakeUser,
    auth_headers: AuthHeaders,
) -> None:
    viewer, stranger = await make_user(), await make_user()
    async with database.transaction() as session:
        session.add(ProjectMember(project_id=project.id, user_id=viewer.id, role="viewer"))
    for user, status, code in ((viewer, 403, "forbidden"), (stranger, 404, "not_found")):
        headers = await auth_headers(user)
        problem_of(await client.delete(f"{API}/{job.id}/training-state", headers=headers), status, code)


@pytest.mark.parametrize(("days", "ended_days_ago", "is_trimmed"), [(30, 31, True), (30, 29, False), (0, 999, False)])
async def test_state_is_trimmed_some_days_after_the_end(
    database: Database, store: ObjectStore, job: TrainingJob, days: int, ended_days_ago: int, is_trimmed: bool
) -> None:
    async with database.transaction() as session:
        row = await reload(session, job)
        row.completed_at = utc_now() - timedelta(days=ended_days_ago)
    await SweepLoop(database, store, Retention(event_days=0, state_days=days), owner=uuid4()).tick()

    async with database.snapshot() as session:
        row = await reload(session, job)
        kinds = set(await session.scalars(select(Artifact.kind).where(Artifact.job_id == job.id)))
    assert row.is_state_trimmed == is_trimmed
    assert ("training_state" in kinds) != is_trimmed


async def test_usage_tells_weights_from_training_state(
    api: httpx.AsyncClient, project: Project, job: TrainingJob
) -> None:
    of_job = (await api.get(f"{API}/{job.id}/usage")).json()
    of_project = (await api.get(f"/api/v1/projects/{project.id}/usage")).json()

    assert of_job["kinds"] == {"checkpoint": 200, "training_state": 200}
    assert of_job["training_state_bytes"] == of_project["training_state_bytes"] == 200
    assert of_project["jobs"][0]["training_state_bytes"] == 200
    assert of_project["checkpoints_bytes"] == 200
