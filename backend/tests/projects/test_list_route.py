"""A list that is given again is never one that reading again would not give."""

import sqlite3
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, update
from support.common import AuthHeaders, MakeUser, counted_statements, problem_of

from vision_api.auth.tokens import AccessToken
from vision_api.config import Settings
from vision_api.kit import response_cache
from vision_api.kit.clock import utc_now
from vision_api.models import AuthSession, Project, ProjectMember, User
from vision_api.platform import platform_of

URL = "/api/v1/projects"


@pytest.fixture
async def mina(make_user: MakeUser) -> User:
    return await make_user("mina@example.com")


@pytest.fixture
async def api(client: httpx.AsyncClient, mina: User, auth_headers: AuthHeaders) -> httpx.AsyncClient:
    """Mina, who has one project and has looked at her list."""
    client.headers.update(await auth_headers(mina))
    assert (await client.post(URL, json={"name": "Defects"})).status_code == 201
    assert await names(client) == ["Defects"]
    return client


async def names(api: httpx.AsyncClient) -> list[str]:
    answer = await api.get(URL)
    assert answer.status_code == 200, answer.text
    return [project["name"] for project in answer.json()]


async def test_what_nothing_has_changed_since_is_not_read_again(api: httpx.AsyncClient, app: FastAPI) -> None:
    first = await api.get(URL)
    with counted_statements(app) as statements:
        again = await api.get(URL)
    assert (again.content, again.headers["X-Total-Count"]) == (first.content, "1")
    assert len(statements) == (0 if platform_of(app).database.is_sqlite else 2)  # PostgreSQL has no data version


async def test_a_member_who_is_removed_does_not_see_the_project_any_more(api: httpx.AsyncClient, app: FastAPI) -> None:
    async with platform_of(app).database.transaction() as session:
        await session.execute(delete(ProjectMember))
    assert await names(api) == []


async def test_a_change_is_seen_at_once(api: httpx.AsyncClient, app: FastAPI) -> None:
    async with platform_of(app).database.transaction() as session:
        await session.execute(update(Project).values(name="Dents"))
    assert await names(api) == ["Dents"]


async def test_a_sign_in_that_has_ended_gets_no_list(api: httpx.AsyncClient, app: FastAPI) -> None:
    async with platform_of(app).database.transaction() as session:
        await session.execute(update(AuthSession).values(revoked_at=utc_now()))
    problem_of(await api.get(URL), 401, "token_invalid")


async def test_a_token_that_has_expired_gets_no_list(
    api: httpx.AsyncClient, app: FastAPI, mina: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = platform_of(app).access_tokens
    known = tokens.read(api.headers["Authorization"][7:])
    long_ago = utc_now() - timedelta(seconds=tokens.lifetime_seconds - 300)
    about_to_expire = tokens.issue(AccessToken(mina.id, known.session_id), now=long_ago)
    api.headers["Authorization"] = f"Bearer {about_to_expire}"
    assert await names(api) == ["Defects"]
    expires_at = tokens.expires_at(about_to_expire)
    monkeypatch.setattr(response_cache.time, "time", lambda: expires_at)
    with counted_statements(app) as statements:
        await api.get(URL)
    assert statements != []  # the cached response is not used: the token is checked again


async def test_tokens_do_not_share_a_list(
    api: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    own = api.headers["Authorization"]
    stranger = await auth_headers(await make_user())
    for _ in range(2):
        api.headers["Authorization"] = stranger["Authorization"]
        assert await names(api) == []
        api.headers["Authorization"] = own
        assert await names(api) == ["Defects"]
    del api.headers["Authorization"]
    problem_of(await api.get(URL), 401, "token_invalid")


async def test_a_forged_host_is_neither_in_a_link_nor_in_the_cache(api: httpx.AsyncClient, app: FastAPI) -> None:
    await api.post(URL, json={"name": "Dents"})
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}

    first = await api.get(URL, params={"limit": 1}, headers=forged)
    size_bytes = platform_of(app).project_lists.size_bytes
    again = await api.get(URL, params={"limit": 1})
    models = await api.get("/api/v1/models/list", headers=forged)

    assert first.headers["Link"].startswith(f"<{URL}?limit=1&cursor=")
    assert again.headers["Link"] == first.headers["Link"]
    assert (await api.get(again.links["next"]["url"])).json()[0]["name"] == "Defects"
    assert "evil" not in f"{first.headers} {again.headers} {models.headers}"
    if platform_of(app).database.is_sqlite:
        assert size_bytes > 0
        assert platform_of(app).project_lists.size_bytes > size_bytes  # the second page alone is new


async def test_what_another_process_writes_is_seen_at_once(
    api: httpx.AsyncClient, app: FastAPI, settings: Settings
) -> None:
    if not platform_of(app).database.is_sqlite:
        pytest.skip("on PostgreSQL every list is read")
    connection = sqlite3.connect(settings.database_url.partition("///")[2])
    connection.execute("UPDATE projects SET name = 'by hand'")
    connection.commit()
    connection.close()
    assert await names(api) == ["by hand"]
