"""Two requests at the same moment, on a database that lets both in: nothing is lost, and nobody is answered 500."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from support.common import AuthHeaders, problem_of
from support.job_rows import job_fields

from vision_api.datasets import repository as datasets
from vision_api.datasets import use_cases
from vision_api.datasets.processing.prepare import DatasetSummary, PrepareResult
from vision_api.datasets.processing.results import ClaimedVersion, apply_result
from vision_api.datasets.use_cases import Origin
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.models import Dataset, DatasetStatus, DatasetVersion, GarbageObject, Project, TrainingJob, User
from vision_api.platform import platform_of
from vision_api.projects import use_cases as projects
from vision_api.storage_layout import archive_key
from vision_api.training_jobs import access

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

DIGEST = "d" * 64
SUMMARY = DatasetSummary(
    "imagefolder", ["image_classification"], ["x"], [], [], {"train": {"images": 4}}, 4, True, DIGEST, 10, {}
)  # fmt: skip


@pytest.fixture
async def twins(app: FastAPI, database: Database, owner: User) -> tuple[Dataset, DatasetVersion]:
    """A data set that is ready, and a version of another one with the same content that is being processed."""
    store = platform_of(app).store
    ready, new = Dataset(name="ready", owner_id=owner.id), Dataset(name="new", owner_id=owner.id)
    async with database.transaction() as session:
        session.add_all([ready, new])
        await session.flush()
        common = {"number": 1, "created_by_id": owner.id, "upload_bytes": 0}
        version = DatasetVersion(dataset_id=new.id, status=DatasetStatus.PROCESSING, tries=1, **common)
        session.add(version)
        session.add(
            DatasetVersion(
                dataset_id=ready.id, status=DatasetStatus.READY, digest=DIGEST, splits=SUMMARY.splits,
                archive_uri=store.uri(archive_key(DIGEST)), **common,
            )
        )  # fmt: skip
    return ready, version


async def test_content_that_is_deleted_and_found_again_at_the_same_moment_is_kept(
    app: FastAPI,
    database: Database,
    owner: User,
    twins: tuple[Dataset, DatasetVersion],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready, version = twins
    remove_garbage = datasets.remove_garbage
    deletions: list[asyncio.Task[None]] = []

    async def delete() -> None:
        async with database.transaction() as session:
            await use_cases.delete_dataset(session, user=owner, dataset_id=ready.id)

    async def rescue_while_somebody_deletes(*arguments: object) -> None:
        await remove_garbage(*arguments)  # pyright: ignore[reportArgumentType]
        deletions.append(asyncio.create_task(delete()))
        await asyncio.sleep(0.5)

    monkeypatch.setattr(datasets, "remove_garbage", rescue_while_somebody_deletes)

    assert await apply_result(
        database, platform_of(app).store, ClaimedVersion(version.id, 1, Origin()), PrepareResult([], SUMMARY)
    )
    await asyncio.gather(*deletions)

    async with database.snapshot() as session:
        assert (await session.get_one(DatasetVersion, version.id)).status == DatasetStatus.READY
        assert not (await session.scalars(select(GarbageObject.uri))).all()


async def test_of_two_that_wait_for_each_other_one_is_to_come_again(
    database: Database, owner: User, project: Project
) -> None:
    job = TrainingJob(**job_fields(project_id=project.id, created_by_id=owner.id, status="completed"))
    async with database.transaction() as session:
        session.add(job)
    is_locked = asyncio.Event()

    async def ask_for_a_work() -> None:
        async with database.transaction() as session:
            await access.lock_job_for(session, owner, job.id)
            is_locked.set()
            await asyncio.sleep(0.5)
            fields = job_fields(project_id=project.id, created_by_id=owner.id, parent_id=job.id, kind="export")
            session.add(TrainingJob(**fields))

    async def delete() -> None:
        await is_locked.wait()
        async with database.transaction() as session:
            await projects.delete_project(session, user=owner, project_id=project.id)

    ends = await asyncio.gather(ask_for_a_work(), delete(), return_exceptions=True)

    assert [type(end) for end in ends if end is not None] == [DatabaseUnavailable]


async def test_what_is_deleted_while_it_is_changed_is_a_conflict(
    client: httpx.AsyncClient,
    auth_headers: AuthHeaders,
    database: Database,
    owner: User,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    get_project_for = projects.get_project_for

    async def get_while_somebody_deletes(*arguments: object, role: str) -> Project:
        found = await get_project_for(*arguments, role=role)  # pyright: ignore[reportArgumentType, reportCallIssue]
        if role == "editor":
            async with database.transaction() as session:
                await projects.delete_project(session, user=owner, project_id=project.id)
        return found

    monkeypatch.setattr(projects, "get_project_for", get_while_somebody_deletes)

    answer = await client.patch(
        f"/api/v1/projects/{project.id}", json={"name": "new"}, headers=await auth_headers(owner)
    )

    problem_of(answer, 409, "conflict")
