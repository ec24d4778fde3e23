"""Refreshing, logging out, and what ends with it."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from support.common import PASSWORD, MakeUser, problem_of

from vision_api.auth import use_cases
from vision_api.auth.tokens import token_hash
from vision_api.auth.use_cases import GRACE, MOST_SESSIONS
from vision_api.kit.clock import utc_now
from vision_api.models import AuthSession, RefreshToken
from vision_api.platform import platform_of

REFRESH = "/api/v1/auth/refresh"
LOGOUT = "/api/v1/auth/logout"
ME = "/api/v1/auth/me"


@pytest.fixture
async def tokens(client: httpx.AsyncClient, make_user: MakeUser) -> dict[str, Any]:
    await make_user("mina@example.com")
    return await _login(client)


async def _login(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.post("/api/v1/auth/login", json={"email": "mina@example.com", "password": PASSWORD})
    assert response.status_code == 200
    return response.json()


async def _refresh(client: httpx.AsyncClient, refresh_token: str) -> httpx.Response:
    return await client.post(REFRESH, json={"refresh_token": refresh_token})


async def _me(client: httpx.AsyncClient, tokens: dict[str, Any]) -> httpx.Response:
    return await client.get(ME, headers={"Authorization": f"Bearer {tokens['access_token']}"})


async def _age(app: FastAPI, refresh_token: str, **columns: Any) -> None:
    async with platform_of(app).database.transaction() as session:
        await session.execute(
            update(RefreshToken).where(RefreshToken.token_hash == token_hash(refresh_token)).values(**columns)
        )


async def test_refresh_answers_as_login_with_new_tokens(client: httpx.AsyncClient, tokens: dict[str, Any]) -> None:
    renewed = (await _refresh(client, tokens["refresh_token"])).json()
    assert renewed.keys() == tokens.keys()
    assert renewed["refresh_token"] != tokens["refresh_token"]
    assert (await _me(client, renewed)).json() == tokens["user"]


async def test_second_tab_may_use_the_same_token_within_the_grace(
    client: httpx.AsyncClient, tokens: dict[str, Any]
) -> None:
    both = await asyncio.gather(*(_refresh(client, tokens["refresh_token"]) for _ in range(2)))
    assert [response.status_code for response in both] == [200, 200]
    for response in both:
        assert (await _refresh(client, response.json()["refresh_token"])).status_code == 200


async def test_later_reuse_revokes_the_whole_family(
    client: httpx.AsyncClient, app: FastAPI, tokens: dict[str, Any]
) -> None:
    other_sign_in = await _login(client)
    renewed = (await _refresh(client, tokens["refresh_token"])).json()
    async with platform_of(app).database.snapshot() as session:
        replaced_at = await session.scalar(
            select(RefreshToken.replaced_at).where(RefreshToken.token_hash == token_hash(tokens["refresh_token"]))
        )
    await _age(app, tokens["refresh_token"], replaced_at=replaced_at - GRACE - timedelta(seconds=1))

    problem_of(await _refresh(client, tokens["refresh_token"]), 401, "token_invalid")
    problem_of(await _refresh(client, renewed["refresh_token"]), 401, "token_invalid")
    problem_of(await _me(client, renewed), 401, "token_invalid")
    assert (await _me(client, other_sign_in)).status_code == 200


async def test_expired_and_unknown_refresh_tokens_have_different_codes(
    client: httpx.AsyncClient, app: FastAPI, tokens: dict[str, Any]
) -> None:
    async with platform_of(app).database.snapshot() as session:
        created_at = await session.scalar(select(RefreshToken.created_at))
    await _age(app, tokens["refresh_token"], expires_at=created_at)
    problem_of(await _refresh(client, tokens["refresh_token"]), 401, "token_expired")
    problem_of(await _refresh(client, "unknown"), 401, "token_invalid")


async def test_logout_ends_access_and_refresh_tokens_at_once(client: httpx.AsyncClient, tokens: dict[str, Any]) -> None:
    other_sign_in = await _login(client)
    response = await client.post(LOGOUT, json={"refresh_token": tokens["refresh_token"]})
    assert (response.status_code, response.content) == (204, b"")
    problem_of(await _me(client, tokens), 401, "token_invalid")
    problem_of(await _refresh(client, tokens["refresh_token"]), 401, "token_invalid")
    assert (await _me(client, other_sign_in)).status_code == 200
    assert (await client.post(LOGOUT, json={"refresh_token": "unknown"})).status_code == 204


async def test_database_knows_tokens_only_by_their_hash(app: FastAPI, tokens: dict[str, Any]) -> None:
    async with platform_of(app).database.snapshot() as session:
        stored = (await session.scalars(select(RefreshToken.token_hash))).all()
    assert stored == [token_hash(tokens["refresh_token"])]
    assert tokens["refresh_token"] not in stored


async def test_login_clears_away_sign_ins_that_have_run_out(
    client: httpx.AsyncClient, app: FastAPI, tokens: dict[str, Any]
) -> None:
    async with platform_of(app).database.transaction() as session:
        await session.execute(update(AuthSession).values(expires_at=AuthSession.created_at))
    latest = await _login(client)
    async with platform_of(app).database.snapshot() as session:
        stored = (await session.scalars(select(RefreshToken.token_hash))).all()
    assert stored == [token_hash(latest["refresh_token"])]


async def test_oldest_sign_ins_end_when_there_are_too_many(
    client: httpx.AsyncClient, app: FastAPI, tokens: dict[str, Any]
) -> None:
    user_id, now = tokens["user"]["id"], utc_now()
    async with platform_of(app).database.transaction() as session:
        for day in range(1, MOST_SESSIONS + 5):
            session.add(AuthSession(user_id=user_id, expires_at=now + timedelta(days=40 + day), revoked_at=None))

    latest = await _login(client)

    async with platform_of(app).database.snapshot() as session:
        stored = (await session.scalars(select(AuthSession.expires_at))).all()
    assert len(stored) == MOST_SESSIONS
    problem_of(await _me(client, tokens), 401, "token_invalid")
    assert (await _me(client, latest)).status_code == 200


async def test_sign_ins_that_were_ended_make_way_first(
    client: httpx.AsyncClient, app: FastAPI, tokens: dict[str, Any]
) -> None:
    user_id, now = tokens["user"]["id"], utc_now()
    async with platform_of(app).database.transaction() as session:
        for day in range(1, MOST_SESSIONS + 5):
            session.add(AuthSession(user_id=user_id, expires_at=now + timedelta(days=40 + day), revoked_at=now))

    await _login(client)

    assert (await _me(client, tokens)).status_code == 200


async def test_refresh_tokens_of_a_sign_in_are_bounded(
    client: httpx.AsyncClient, app: FastAPI, tokens: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_cases, "MOST_REFRESH_TOKENS", 3)
    for _ in range(6):
        tokens = (await _refresh(client, tokens["refresh_token"])).json()

    async with platform_of(app).database.snapshot() as session:
        stored = (await session.scalars(select(RefreshToken.token_hash))).all()
    assert len(stored) == 4
    assert token_hash(tokens["refresh_token"]) in stored
