"""The same request again creates nothing twice."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update
from support.common import AuthHeaders, MakeUser, problem_of

from vision_api.kit.clock import utc_now
from vision_api.kit.idempotency import KEPT
from vision_api.models import IdempotencyRecord, Project
from vision_api.platform import platform_of

URL = "/api/v1/projects"
KEY = {"Idempotency-Key": "5f0c"}


@pytest.fixture
async def headers(make_user: MakeUser, auth_headers: AuthHeaders) -> dict[str, str]:
    return await auth_headers(await make_user())


async def _create(client: httpx.AsyncClient, headers: dict[str, str], name: str = "Defects") -> httpx.Response:
    return await client.post(URL, json={"name": name}, headers=headers | KEY)


async def _count_projects(app: FastAPI) -> int:
    async with platform_of(app).database.snapshot() as session:
        return (await session.execute(select(func.count()).select_from(Project))).scalar_one()


async def test_repeated_request_gets_the_first_answer(
    client: httpx.AsyncClient, app: FastAPI, headers: dict[str, str]
) -> None:
    first, second = await _create(client, headers), await _create(client, headers)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert second.headers["Location"] == first.headers["Location"]
    assert await _count_projects(app) == 1


async def test_a_repetition_after_a_deletion_is_a_conflict(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    made = await _create(client, headers)
    assert (await client.delete(f"{URL}/{made.json()['id']}", headers=headers)).status_code == 204

    problem_of(await _create(client, headers), 409, "conflict")


async def test_requests_at_the_same_moment_create_one(
    client: httpx.AsyncClient, app: FastAPI, headers: dict[str, str]
) -> None:
    answers = await asyncio.gather(*(_create(client, headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await _count_projects(app) == 1


async def test_same_key_with_another_body_is_refused(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    await _create(client, headers)
    problem_of(await _create(client, headers, "Dents"), 422, "idempotency_mismatch")


async def test_failed_request_does_not_use_up_the_key(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    project_id = (await _create(client, headers)).json()["id"]
    url = f"{URL}/{project_id}/members"
    invitation = {"email": "later@example.com"}
    problem_of(await client.post(url, json=invitation, headers=headers | KEY), 422, "validation_failed")
    await client.post("/api/v1/auth/register", json=invitation | {"password": "long enough"})
    assert (await client.post(url, json=invitation, headers=headers | KEY)).status_code == 201


async def test_key_belongs_to_its_user(
    client: httpx.AsyncClient, headers: dict[str, str], make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    first = await _create(client, headers)
    second = await _create(client, await auth_headers(await make_user()), "Dents")
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


async def test_key_is_forgotten_after_a_day(client: httpx.AsyncClient, app: FastAPI, headers: dict[str, str]) -> None:
    first = await _create(client, headers)
    async with platform_of(app).database.transaction() as session:
        await session.execute(update(IdempotencyRecord).values(created_at=utc_now() - KEPT - timedelta(seconds=1)))
    second = await _create(client, headers, "Dents")
    assert second.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_unfit_key_is_refused(client: httpx.AsyncClient, headers: dict[str, str], key: str) -> None:
    response = await client.post(URL, json={"name": "a"}, headers=headers | {"Idempotency-Key": key})
    problem_of(response, 422, "validation_failed")
