"""Signing in and knowing somebody again."""

import time
from datetime import timedelta
from uuid import uuid4

import httpx
import jwt
import pytest
from fastapi import FastAPI
from support.common import JWT_SECRET, PASSWORD, AuthHeaders, MakeUser, fields_of, problem_of

from vision_api.auth.passwords import hash_password
from vision_api.auth.tokens import AccessToken
from vision_api.kit.clock import utc_now
from vision_api.models import User
from vision_api.platform import platform_of

URL = "/api/v1/auth/login"


async def test_json_login_answers_tokens_and_the_user(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    user = await make_user("mina@example.com", full_name="Mina")
    response = await client.post(URL, json={"email": "mina@example.com", "password": PASSWORD})
    answer = response.json()
    assert response.status_code == 200
    assert answer["token_type"] == "bearer"
    assert answer["expires_in"] == 3600
    assert answer["user"] | {"created_at": "…"} == {
        "id": user.id,
        "email": "mina@example.com",
        "full_name": "Mina",
        "role": "user",
        "must_change_password": False,
        "created_at": "…",
    }
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert (await client.get("/api/v1/auth/me", headers=headers)).json() == answer["user"]


async def test_login_takes_the_form_of_the_authorize_button(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    await make_user("mina@example.com")
    form = {
        "grant_type": "password",
        "username": "Mina@Example.com",
        "password": PASSWORD,
        "scope": "",
        "client_id": "",
        "client_secret": "",
    }
    response = await client.post(URL, data=form)
    assert response.status_code == 200
    assert response.json()["access_token"]
    flow = (await client.get("/openapi.json")).json()["components"]["securitySchemes"]["OAuth2PasswordBearer"]
    assert flow["flows"]["password"]["tokenUrl"] == URL


async def test_email_is_matched_whatever_its_case(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    await make_user("mina@example.com")
    response = await client.post(URL, json={"email": " MINA@Example.COM ", "password": PASSWORD})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "body", [{"email": "mina@example.com", "password": "wrong"}, {"email": "x@y", "password": "z"}]
)
async def test_wrong_password_and_unknown_email_look_the_same(
    client: httpx.AsyncClient, make_user: MakeUser, body: dict[str, str]
) -> None:
    await make_user("mina@example.com")
    problem = problem_of(await client.post(URL, json=body), 401, "invalid_credentials")
    assert problem["detail"] == "The e-mail or the password is not right."


async def test_inactive_user_cannot_sign_in(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    await make_user("mina@example.com", is_active=False)
    response = await client.post(URL, json={"email": "mina@example.com", "password": PASSWORD})
    problem_of(response, 401, "invalid_credentials")


@pytest.mark.one_database
async def test_unknown_email_takes_as_long_as_a_wrong_password(
    client: httpx.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the other tests' cheap hashes
    async with platform_of(app).database.transaction() as session:
        session.add(User(email="mina@example.com", password_hash=await hash_password(PASSWORD)))

    async def seconds(email: str) -> float:
        started_at = time.process_time()  # CPU time: other processes on the machine do not count
        for _ in range(2):
            await client.post(URL, json={"email": email, "password": "wrong"})
        return time.process_time() - started_at

    known, unknown = await seconds("mina@example.com"), await seconds("nobody@example.com")
    assert 0.5 < unknown / known < 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "mina@example.com"}, "password"),
        ({"password": PASSWORD}, "email"),
        ({"email": "mina@example.com", "password": "ü" * 37}, "password"),
        ({"email": "mina@example.com", "password": PASSWORD, "remember": True}, "remember"),
    ],
)
async def test_malformed_login_names_the_field(client: httpx.AsyncClient, body: dict[str, str], field: str) -> None:
    assert fields_of(problem_of(await client.post(URL, json=body), 422, "validation_failed")) == [field]


async def test_form_without_a_password_names_the_field(client: httpx.AsyncClient) -> None:
    problem = problem_of(await client.post(URL, data={"username": "mina@example.com"}), 422, "validation_failed")
    assert fields_of(problem) == ["password"]


async def test_body_that_is_no_json_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post(URL, content=b"{not json", headers={"Content-Type": "application/json"})
    problem_of(response, 422, "validation_failed")


async def test_eleventh_guess_has_to_wait(client: httpx.AsyncClient, make_user: MakeUser) -> None:
    await make_user("mina@example.com")
    guess = {"email": "mina@example.com", "password": "wrong"}
    for _ in range(10):
        problem_of(await client.post(URL, json=guess), 401, "invalid_credentials")
    response = await client.post(URL, json=guess | {"password": PASSWORD})
    problem_of(response, 429, "rate_limited")
    assert 0 < int(response.headers["Retry-After"]) <= 301
    await make_user("joon@example.com")
    other = await client.post(URL, json={"email": "joon@example.com", "password": PASSWORD})
    assert other.status_code == 200


async def test_request_without_a_token_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v1/auth/me")
    problem_of(response, 401, "token_invalid")
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_expired_and_forged_tokens_have_different_codes(
    client: httpx.AsyncClient, app: FastAPI, make_user: MakeUser
) -> None:
    user = await make_user()
    claims = AccessToken(user.id, uuid4())
    expired = platform_of(app).access_tokens.issue(claims, now=utc_now() - timedelta(hours=2))
    exp = utc_now() + timedelta(hours=1)
    forged = [
        jwt.encode({"sub": str(user.id), "sid": str(claims.session_id), "exp": exp}, "x" * 32, algorithm="HS256"),
        jwt.encode({"sub": str(user.id), "sid": str(claims.session_id), "exp": exp}, "", algorithm="none"),
        jwt.encode({"sub": str(user.id), "exp": exp}, JWT_SECRET, algorithm="HS256"),
        jwt.encode({"sub": "me", "sid": "it", "exp": exp}, JWT_SECRET, algorithm="HS256"),
        "nonsense",
        platform_of(app).access_tokens.issue(claims),  # well signed, of a sign-in that never was
    ]

    async def ask(token: str) -> httpx.Response:
        return await client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})

    problem_of(await ask(expired), 401, "token_expired")
    for token in forged:
        problem_of(await ask(token), 401, "token_invalid")


async def test_deactivation_ends_a_sign_in_at_once(
    client: httpx.AsyncClient, app: FastAPI, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    user = await make_user()
    headers = await auth_headers(user)
    assert (await client.get("/api/v1/auth/me", headers=headers)).status_code == 200
    async with platform_of(app).database.transaction() as session:
        (await session.get_one(User, user.id)).is_active = False
    problem_of(await client.get("/api/v1/auth/me", headers=headers), 401, "token_invalid")
