"""The project list and what belongs to it."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from support.common import AuthHeaders, MakeUser, counted_statements, fields_of, problem_of
from support.job_rows import job_fields

from vision_api.models import Project, ProjectMember, TrainingJob, User
from vision_api.platform import platform_of

URL = "/api/v1/projects"


@pytest.fixture
async def mina(make_user: MakeUser) -> User:
    return await make_user("mina@example.com")


@pytest.fixture
async def headers(mina: User, auth_headers: AuthHeaders) -> dict[str, str]:
    return await auth_headers(mina)


async def _create(client: httpx.AsyncClient, headers: dict[str, str], name: str = "Defects") -> int:
    response = await client.post(URL, json={"name": name}, headers=headers)
    assert response.status_code == 201, response.text
    return response.json()["id"]


def _job(project_id: int, user: User, **fields: Any) -> TrainingJob:
    return TrainingJob(**job_fields(project_id=project_id, created_by_id=user.id, **fields))


async def test_new_project_needs_only_a_name(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post(URL, json={"name": "  Defects "}, headers=headers)
    project = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"{URL}/{project['id']}"
    assert project | {"created_at": "", "updated_at": "", "id": 0} == {
        "id": 0,
        "name": "Defects",
        "description": None,
        "task_type": None,
        "created_at": "",
        "updated_at": "",
        "experiment_count": 0,
        "user_role": "owner",
    }
    assert project["created_at"].endswith("Z")
    assert len(project["created_at"]) == len("2026-01-31T12:00:00.123Z")
    assert (await client.get(f"{URL}/{project['id']}", headers=headers)).json() == project


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a", "task_type": "poetry"}, "task_type"),
        ({"name": "a", "owner": 1}, "owner"),
    ],
)
async def test_unfit_project_names_the_field(
    client: httpx.AsyncClient, headers: dict[str, str], body: dict[str, object], field: str
) -> None:
    problem = problem_of(await client.post(URL, json=body, headers=headers), 422, "validation_failed")
    assert fields_of(problem) == [field]


async def test_list_is_newest_first_and_only_of_ones_own(
    client: httpx.AsyncClient, headers: dict[str, str], make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    await _create(client, await auth_headers(await make_user()), "of somebody else")
    ids = [await _create(client, headers, f"number {number}") for number in range(3)]
    response = await client.get(URL, headers=headers)
    assert [project["id"] for project in response.json()] == ids[::-1]
    assert response.headers["X-Total-Count"] == "3"
    assert "Link" not in response.headers


async def test_administrator_sees_every_project_as_an_owner(
    client: httpx.AsyncClient, headers: dict[str, str], make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    project_id = await _create(client, headers)
    admin = await auth_headers(await make_user(role="admin"))
    assert [(p["id"], p["user_role"]) for p in (await client.get(URL, headers=admin)).json()] == [(project_id, "owner")]
    assert (await client.patch(f"{URL}/{project_id}", json={"name": "x"}, headers=admin)).status_code == 200


async def test_list_takes_one_statement_however_many_projects(
    client: httpx.AsyncClient, app: FastAPI, headers: dict[str, str], mina: User
) -> None:
    async def count_statements() -> int:
        with counted_statements(app) as statements:
            assert (await client.get(URL, headers=headers)).status_code == 200
        return len(statements)

    await _create(client, headers)
    with_one = await count_statements()
    async with platform_of(app).database.transaction() as session:
        for number in range(30):
            project = Project(name=f"number {number}")
            session.add(project)
            await session.flush()
            session.add(ProjectMember(project_id=project.id, user_id=mina.id, role="owner"))
            session.add_all(_job(project.id, mina) for _ in range(number % 3))
    assert await count_statements() == with_one == 2  # the user, and the list with its total


async def test_pages_follow_each_other_without_gap_or_repetition(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    ids = [await _create(client, headers, f"number {number}") for number in range(5)]
    first = await client.get(URL, params={"limit": 2}, headers=headers)
    assert first.headers["X-Total-Count"] == "5"
    await _create(client, headers, "meanwhile")  # a newer one moves nothing on the pages that follow
    second = await client.get(first.links["next"]["url"], headers=headers)
    third = await client.get(second.links["next"]["url"], headers=headers)
    pages = [[project["id"] for project in page.json()] for page in (first, second, third)]
    assert pages == [ids[4:2:-1], ids[2:0:-1], ids[:1]]
    assert "next" not in third.links


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=WzFd8J-YgA", "curser=x"])
async def test_unfit_page_request_names_the_parameter(
    client: httpx.AsyncClient, headers: dict[str, str], query: str
) -> None:
    problem = problem_of(await client.get(f"{URL}?{query}", headers=headers), 422, "validation_failed")
    assert fields_of(problem) == [query.partition("=")[0]]


async def test_change_touches_only_what_it_names(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    project_id = await _create(client, headers)
    url = f"{URL}/{project_id}"
    await client.patch(url, json={"description": "Scratches", "task_type": "object_detection"}, headers=headers)
    project = (await client.patch(url, json={"name": "Dents", "description": None}, headers=headers)).json()
    assert (project["name"], project["description"], project["task_type"]) == ("Dents", None, "object_detection")
    assert project["updated_at"] >= project["created_at"]
    problem_of(await client.patch(url, json={"name": None}, headers=headers), 422, "validation_failed")


@pytest.mark.parametrize("project_id", ["0", "-1", "x", str(2**63)])
async def test_id_that_no_project_can_have_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str], project_id: str
) -> None:
    problem_of(await client.get(f"{URL}/{project_id}", headers=headers), 422, "validation_failed")


async def test_what_is_not_yours_is_not_found(
    client: httpx.AsyncClient, headers: dict[str, str], make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    project_id = await _create(client, headers)
    stranger = await auth_headers(await make_user())
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("GET", "/members", None),
        ("POST", "/members", {"email": "mina@example.com"}),
    ):
        response = await client.request(method, f"{URL}/{project_id}{path}", json=body, headers=stranger)
        problem_of(response, 404, "not_found")
    missing = await client.get(f"{URL}/{project_id + 1}", headers=headers)
    problem_of(missing, 404, "not_found")


async def test_deleted_project_is_gone_and_its_experiments_lose_their_home(
    client: httpx.AsyncClient, app: FastAPI, headers: dict[str, str], mina: User
) -> None:
    project_id = await _create(client, headers)
    async with platform_of(app).database.transaction() as session:
        job = _job(project_id, mina)
        session.add(job)
    assert (await client.delete(f"{URL}/{project_id}", headers=headers)).status_code == 204
    problem_of(await client.get(f"{URL}/{project_id}", headers=headers), 404, "not_found")
    async with platform_of(app).database.snapshot() as session:
        home = await session.scalar(select(TrainingJob.project_id).where(TrainingJob.id == job.id))
        assert home is None
        assert (await session.scalars(select(ProjectMember))).all() == []
    assert await _create(client, headers) > project_id  # an id never comes back
