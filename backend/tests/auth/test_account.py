"""Opening an account and changing it."""

import httpx
import pytest
from fastapi import FastAPI
from support.common import PASSWORD, AuthHeaders, MakeUser, fields_of, problem_of, replace_parts

from vision_api.config import Settings
from vision_api.main import create_app

REGISTER = "/api/v1/auth/register"
LOGIN = "/api/v1/auth/login"
ME = "/api/v1/auth/me"
NEW_PASSWORD = "a much better one"


async def test_registered_user_can_sign_in(client: httpx.AsyncClient) -> None:
    body = {"email": "Admin@Example.com", "password": PASSWORD, "full_name": "Mina"}
    response = await client.post(REGISTER, json=body)
    assert response.status_code == 201
    assert response.json()["email"] == "admin@example.com"
    assert response.json()["role"] == "user"
    assert "password" not in response.text.replace("must_change_password", "")
    login = await client.post(LOGIN, json={"email": "admin@example.com", "password": PASSWORD})
    assert login.json()["user"] == response.json()


async def test_second_account_with_the_same_email_is_a_conflict(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    await make_user("mina@example.com")
    response = await client.post(REGISTER, json={"email": "MINA@example.com", "password": PASSWORD})
    problem_of(response, 409, "conflict")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "no e-mail"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 73}, "password"),
        ({"password": "with\0nul and more"}, ""),
        ({"full_name": "x" * 201}, "full_name"),
        ({"role": "admin"}, "role"),
    ],
)
async def test_unfit_registration_names_the_field(
    client: httpx.AsyncClient, changes: dict[str, str], field: str
) -> None:
    body = {"email": "mina@example.com", "password": PASSWORD} | changes
    assert fields_of(problem_of(await client.post(REGISTER, json=body), 422, "validation_failed")) == [field]


async def test_closed_registration_is_for_administrators_only(
    settings: Settings, app: FastAPI, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    replace_parts(app, settings=settings.model_copy(update={"registration": "closed"}))
    body = {"email": "new@example.com", "password": PASSWORD}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        problem_of(await client.post(REGISTER, json=body), 403, "forbidden")
        user = await auth_headers(await make_user())
        problem_of(await client.post(REGISTER, json=body, headers=user), 403, "forbidden")
        admin = await auth_headers(await make_user(role="admin"))
        assert (await client.post(REGISTER, json=body, headers=admin)).status_code == 201


async def test_name_changes_without_a_password(
    client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    headers = await auth_headers(await make_user(full_name="Old"))
    assert (await client.patch(ME, json={"full_name": "New"}, headers=headers)).json()["full_name"] == "New"
    assert (await client.patch(ME, json={}, headers=headers)).json()["full_name"] == "New"
    assert (await client.patch(ME, json={"full_name": None}, headers=headers)).json()["full_name"] is None


async def test_new_password_ends_every_other_sign_in(
    client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    user = await make_user("mina@example.com")
    here, elsewhere = await auth_headers(user), await auth_headers(user)
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert (await client.patch(ME, json=change, headers=here)).status_code == 200
    assert (await client.get(ME, headers=here)).status_code == 200
    problem_of(await client.get(ME, headers=elsewhere), 401, "token_invalid")
    for password, status in ((PASSWORD, 401), (NEW_PASSWORD, 200)):
        login = await client.post(LOGIN, json={"email": "mina@example.com", "password": password})
        assert login.status_code == status


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"new_password": NEW_PASSWORD}, "current_password"),
        ({"new_password": NEW_PASSWORD, "current_password": "wrong"}, "current_password"),
        ({"new_password": PASSWORD, "current_password": PASSWORD}, "new_password"),
        ({"new_password": "short", "current_password": PASSWORD}, "new_password"),
    ],
)
async def test_unfit_password_change_is_refused(
    client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders, change: dict[str, str], field: str
) -> None:
    headers = await auth_headers(await make_user())
    problem = problem_of(await client.patch(ME, json=change, headers=headers), 422, "validation_failed")
    assert fields_of(problem) == [field]


async def test_guessing_the_current_password_is_limited_too(
    client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    headers = await auth_headers(await make_user())
    guess = {"new_password": NEW_PASSWORD, "current_password": "wrong"}
    statuses = [(await client.patch(ME, json=guess, headers=headers)).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]


async def test_generated_password_must_be_changed_before_anything_else(
    client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    headers = await auth_headers(await make_user(role="admin", must_change_password=True))
    assert (await client.get(ME, headers=headers)).json()["must_change_password"] is True
    problem = problem_of(await client.get("/api/v1/projects", headers=headers), 403, "password_change_required")
    assert "PATCH /api/v1/auth/me" in problem["detail"]
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert (await client.patch(ME, json=change, headers=headers)).json()["must_change_password"] is False
    assert (await client.get("/api/v1/projects", headers=headers)).status_code == 200


def test_the_application_is_made_without_touching_the_disk(settings: Settings) -> None:
    before = sorted(settings.data_dir.iterdir())
    create_app(settings)
    assert sorted(settings.data_dir.iterdir()) == before
