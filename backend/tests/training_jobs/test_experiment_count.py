"""The kept number of a project's experiments: always what counting would give."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from support.job_rows import MakeJob
from support.small_service import make_card, make_list

from vision_api.db.session import Database
from vision_api.models import Project
from vision_api.platform import platform_of
from vision_api.projects.recount import recount_all

JOBS = "/api/v1/training/jobs"
PROJECTS = "/api/v1/projects"


@pytest.fixture(autouse=True)
async def catalog(app: FastAPI) -> None:
    await platform_of(app).catalog.put(make_list(make_card("tiny")))


async def shown(api: httpx.AsyncClient) -> list[int]:
    return [project["experiment_count"] for project in (await api.get(PROJECTS)).json()]


async def create(api: httpx.AsyncClient, wanted: dict[str, Any], **headers: str) -> int:
    answer = await api.post(JOBS, json=wanted, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def test_every_way_to_make_a_job_is_counted(
    api: httpx.AsyncClient, wanted: dict[str, Any], database: Database
) -> None:
    before = (await api.get(PROJECTS)).json()[0]["updated_at"]
    job_id = await create(api, wanted)
    assert (await api.post(f"{JOBS}/{job_id}/clone")).status_code == 201
    assert await shown(api) == [2]
    assert (await api.get(f"{PROJECTS}/{wanted['project_id']}")).json()["experiment_count"] == 2
    assert (await api.get(PROJECTS)).json()[0]["updated_at"] == before
    assert await recount_all(database) == []


async def test_a_request_that_comes_again_is_counted_once(
    api: httpx.AsyncClient, wanted: dict[str, Any], database: Database
) -> None:
    key = {"Idempotency-Key": "once"}
    assert await create(api, wanted, **key) == await create(api, wanted, **key)
    assert await shown(api) == [1]
    assert await recount_all(database) == []


async def test_a_refused_job_is_not_counted(api: httpx.AsyncClient, wanted: dict[str, Any]) -> None:
    assert (await api.post(JOBS, json=wanted | {"epochs": 0})).status_code == 422
    assert await shown(api) == [0]


async def test_a_job_that_is_deleted_twice_at_once_leaves_the_count_once(
    api: httpx.AsyncClient, wanted: dict[str, Any], database: Database
) -> None:
    first, _ = await create(api, wanted), await create(api, wanted)
    answers = await asyncio.gather(*(api.delete(f"{JOBS}/{first}") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]
    assert await shown(api) == [1]
    assert await recount_all(database) == []


async def test_many_that_create_and_delete_at_once_keep_it_right(
    api: httpx.AsyncClient, wanted: dict[str, Any], database: Database
) -> None:
    async def create_and_delete() -> None:
        kept, gone = await create(api, wanted), await create(api, wanted)
        assert (await api.delete(f"{JOBS}/{gone}")).status_code == 204
        assert kept != gone

    await asyncio.gather(*(create_and_delete() for _ in range(6)))
    assert await shown(api) == [6]
    assert await recount_all(database) == []


async def test_a_project_that_goes_while_its_jobs_come_and_go_takes_nobody_along(
    api: httpx.AsyncClient, wanted: dict[str, Any], database: Database
) -> None:
    jobs = [await create(api, wanted) for _ in range(4)]
    answers = await asyncio.gather(
        *(api.delete(f"{JOBS}/{job_id}") for job_id in jobs),
        api.delete(f"{PROJECTS}/{wanted['project_id']}"),
        *(api.post(JOBS, json=wanted) for _ in range(4)),
    )
    assert {answer.status_code for answer in answers} <= {201, 204, 404}
    assert await shown(api) == []
    assert await recount_all(database) == []


async def test_a_count_that_something_else_made_wrong_is_mended(
    api: httpx.AsyncClient, make_job: MakeJob, project: Project, database: Database
) -> None:
    await make_job()
    async with database.transaction() as session:
        await session.execute(update(Project).values(experiment_count=7))
    assert await recount_all(database) == [project.id]
    assert await shown(api) == [1]
