"""Roles: who may do what, and that somebody always owns the project."""

import logging

import httpx
import pytest
from support.common import AuthHeaders, MakeUser, fields_of, problem_of

from vision_api.models import User

Headers = dict[str, str]


@pytest.fixture
async def owner(make_user: MakeUser) -> User:
    return await make_user("owner@example.com")


@pytest.fixture
async def owner_headers(owner: User, auth_headers: AuthHeaders) -> Headers:
    return await auth_headers(owner)


@pytest.fixture
async def project(client: httpx.AsyncClient, owner_headers: Headers) -> str:
    """The address of a project with one owner."""
    response = await client.post("/api/v1/projects", json={"name": "Defects"}, headers=owner_headers)
    return f"/api/v1/projects/{response.json()['id']}"


@pytest.fixture
async def joon(make_user: MakeUser) -> User:
    return await make_user("joon@example.com", full_name="Joon")


async def _add(client: httpx.AsyncClient, project: str, headers: Headers, user: User, role: str) -> None:
    body = {"email": user.email.upper(), "role": role}
    response = await client.post(f"{project}/members", json=body, headers=headers)
    assert response.status_code == 201, response.text


async def test_member_joins_by_email_and_sees_the_project(
    client: httpx.AsyncClient, project: str, owner: User, owner_headers: Headers, joon: User, auth_headers: AuthHeaders
) -> None:
    response = await client.post(f"{project}/members", json={"email": "JOON@example.com"}, headers=owner_headers)
    assert response.status_code == 201
    assert response.headers["Location"] == f"{project}/members/{joon.id}"
    assert response.json() | {"created_at": ""} == {
        "user_id": joon.id,
        "email": "joon@example.com",
        "full_name": "Joon",
        "role": "editor",
        "created_at": "",
    }
    members = await client.get(f"{project}/members", headers=owner_headers)
    assert [(member["user_id"], member["role"]) for member in members.json()] == [
        (owner.id, "owner"),
        (joon.id, "editor"),
    ]
    assert members.headers["X-Total-Count"] == "2"
    assert (await client.get(project, headers=await auth_headers(joon))).json()["user_role"] == "editor"


@pytest.mark.parametrize(
    ("role", "may_edit", "may_manage"), [("viewer", False, False), ("editor", True, False), ("owner", True, True)]
)
async def test_each_role_has_its_permissions(
    client: httpx.AsyncClient,
    project: str,
    owner_headers: Headers,
    joon: User,
    auth_headers: AuthHeaders,
    role: str,
    may_edit: bool,
    may_manage: bool,
) -> None:
    await _add(client, project, owner_headers, joon, role)
    headers = await auth_headers(joon)
    assert (await client.get(project, headers=headers)).status_code == 200
    edit = await client.patch(project, json={"description": "new"}, headers=headers)
    manage = [
        await client.post(f"{project}/members", json={"email": "x@example.com"}, headers=headers),
        await client.patch(f"{project}/members/{joon.id}", json={"role": "owner"}, headers=headers),
        await client.delete(project, headers=headers),
    ]
    if may_edit:
        assert edit.status_code == 200
    else:
        assert role in problem_of(edit, 403, "forbidden")["detail"]
    assert [response.status_code for response in manage] == ([422, 200, 204] if may_manage else [403, 403, 403])


async def test_unknown_email_and_second_invitation_have_different_codes(
    client: httpx.AsyncClient, project: str, owner_headers: Headers, owner: User
) -> None:
    unknown = await client.post(f"{project}/members", json={"email": "nobody@example.com"}, headers=owner_headers)
    assert fields_of(problem_of(unknown, 422, "validation_failed")) == ["email"]
    again = await client.post(f"{project}/members", json={"email": owner.email}, headers=owner_headers)
    problem_of(again, 409, "conflict")


async def test_last_owner_can_neither_leave_nor_step_down(
    client: httpx.AsyncClient, project: str, owner_headers: Headers, owner: User, joon: User
) -> None:
    await _add(client, project, owner_headers, joon, "viewer")
    mine, joons = f"{project}/members/{owner.id}", f"{project}/members/{joon.id}"
    problem_of(await client.delete(mine, headers=owner_headers), 409, "conflict")
    problem_of(await client.patch(mine, json={"role": "editor"}, headers=owner_headers), 409, "conflict")
    assert (await client.patch(mine, json={"role": "owner"}, headers=owner_headers)).status_code == 200
    assert (await client.patch(joons, json={"role": "owner"}, headers=owner_headers)).status_code == 200
    assert (await client.delete(mine, headers=owner_headers)).status_code == 204
    problem_of(await client.get(project, headers=owner_headers), 404, "not_found")


async def test_member_may_leave_but_not_remove_others(
    client: httpx.AsyncClient, project: str, owner_headers: Headers, owner: User, joon: User, auth_headers: AuthHeaders
) -> None:
    await _add(client, project, owner_headers, joon, "editor")
    headers = await auth_headers(joon)
    problem_of(await client.delete(f"{project}/members/{owner.id}", headers=headers), 403, "forbidden")
    assert (await client.delete(f"{project}/members/{joon.id}", headers=headers)).status_code == 204
    problem_of(await client.get(project, headers=headers), 404, "not_found")
    gone = await client.delete(f"{project}/members/{joon.id}", headers=owner_headers)
    problem_of(gone, 404, "not_found")


async def test_changes_of_members_are_logged(
    client: httpx.AsyncClient,
    project: str,
    owner: User,
    owner_headers: Headers,
    joon: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    member = f"{project}/members/{joon.id}"
    with caplog.at_level(logging.INFO, logger="vision_api.projects"):
        await _add(client, project, owner_headers, joon, "viewer")
        await client.patch(member, json={"role": "editor"}, headers=owner_headers)
        await client.delete(member, headers=owner_headers)

    project_id = project.rpartition("/")[2]
    assert [record.getMessage() for record in caplog.records] == [
        f"user {owner.id} made user {joon.id} viewer of project {project_id}",
        f"user {owner.id} made user {joon.id} editor of project {project_id}",
        f"user {owner.id} removed user {joon.id} from project {project_id}",
    ]
