"""Stream tickets: one path, one sign-in, a limited time."""

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from support.common import AuthHeaders, MakeUser, problem_of

from vision_api.auth import use_cases
from vision_api.auth.dependencies import CurrentStream, StreamAccess, StreamUser
from vision_api.auth.throttles.limits import TICKETS, WINDOW
from vision_api.auth.tickets import FIRST_USE_WITHIN, LIFETIME, ticket_path
from vision_api.auth.tokens import token_hash
from vision_api.errors import Unauthorized
from vision_api.kit.clock import utc_now
from vision_api.models import AuthSession, StreamTicket, ThrottleCount, User
from vision_api.platform import platform_of

URL = "/api/v1/auth/stream-ticket"
PATH = "/api/v1/streams/a b/events"


@pytest.fixture
async def user(app: FastAPI, make_user: MakeUser) -> User:
    """A user, and two routes that take tickets."""

    @app.get("/api/v1/streams/{name}/events")
    async def events(name: str, user: StreamUser) -> dict[str, str]:
        return {"name": name, "email": user.email}

    @app.get("/api/v1/other")
    async def other(access: CurrentStream) -> dict[str, str]:
        return {"email": (await access.recheck()).email}

    return await make_user("mina@example.com")


@pytest.fixture
async def ticket(client: httpx.AsyncClient, user: User, auth_headers: AuthHeaders) -> str:
    response = await client.post(URL, json={"path": PATH}, headers=await auth_headers(user))
    assert response.status_code == 200
    return response.json()["ticket"]


async def _open(client: httpx.AsyncClient, ticket: str, path: str = PATH) -> httpx.Response:
    return await client.get(path, params={"ticket": ticket})


async def _age(app: FastAPI, **columns: object) -> None:
    async with platform_of(app).database.transaction() as session:
        await session.execute(update(StreamTicket).values(**columns))


async def test_ticket_opens_its_path_again_and_again(client: httpx.AsyncClient, app: FastAPI, ticket: str) -> None:
    assert (await _open(client, ticket)).json() == {"name": "a b", "email": "mina@example.com"}
    await _age(app, created_at=utc_now() - timedelta(hours=11))
    assert (await _open(client, ticket)).status_code == 200


async def test_ticket_opens_no_other_path(client: httpx.AsyncClient, ticket: str) -> None:
    problem_of(await _open(client, ticket, "/api/v1/other"), 401, "token_invalid")
    problem_of(await _open(client, "made-up"), 401, "token_invalid")


async def test_ticket_without_a_use_within_a_minute_is_void(
    client: httpx.AsyncClient, app: FastAPI, ticket: str
) -> None:
    await _age(app, created_at=utc_now() - FIRST_USE_WITHIN - timedelta(seconds=1))
    problem_of(await _open(client, ticket), 401, "token_expired")


async def test_used_ticket_ends_after_twelve_hours(client: httpx.AsyncClient, app: FastAPI, ticket: str) -> None:
    assert (await _open(client, ticket)).status_code == 200
    await _age(app, expires_at=utc_now() - timedelta(seconds=1))
    problem_of(await _open(client, ticket), 401, "token_expired")
    assert timedelta(hours=12) == LIFETIME


async def test_ticket_ends_with_the_sign_in(client: httpx.AsyncClient, app: FastAPI, ticket: str) -> None:
    async with platform_of(app).database.transaction() as session:
        await session.execute(update(AuthSession).values(revoked_at=utc_now()))
    problem_of(await _open(client, ticket), 401, "token_invalid")


async def test_ticket_ends_with_the_account(client: httpx.AsyncClient, app: FastAPI, ticket: str, user: User) -> None:
    async with platform_of(app).database.transaction() as session:
        (await session.get_one(User, user.id)).is_active = False
    problem_of(await _open(client, ticket), 401, "token_invalid")


async def test_open_stream_notices_the_logout(app: FastAPI, client: httpx.AsyncClient, ticket: str, user: User) -> None:
    async with platform_of(app).database.snapshot() as session:
        session_id = (await session.scalars(select(AuthSession.id))).one()
    access = StreamAccess(platform_of(app).database, user, session_id)
    assert (await access.recheck()).id == user.id
    async with platform_of(app).database.transaction() as session:
        await session.execute(update(AuthSession).values(revoked_at=utc_now()))
    with pytest.raises(Unauthorized):
        await access.recheck()


async def test_bearer_token_opens_streams_as_well(
    client: httpx.AsyncClient, user: User, auth_headers: AuthHeaders
) -> None:
    response = await client.get("/api/v1/other", headers=await auth_headers(user))
    assert response.json() == {"email": "mina@example.com"}


async def test_ticket_is_no_key_to_ordinary_routes(client: httpx.AsyncClient, ticket: str) -> None:
    problem_of(await client.get("/api/v1/projects", params={"ticket": ticket}), 422, "validation_failed")


async def test_database_knows_the_ticket_only_by_its_hash(app: FastAPI, ticket: str) -> None:
    async with platform_of(app).database.snapshot() as session:
        assert (await session.scalars(select(StreamTicket.ticket_hash))).all() == [token_hash(ticket)]


@pytest.mark.parametrize(
    "given",
    [
        PATH,
        "/streams/a b/events",
        "/api/v1/streams/a%20b/events?presign=1",
        "https://host:1/api/v1/streams/a%20b/events",
    ],
)
def test_path_may_be_given_as_a_client_has_it(given: str) -> None:
    assert ticket_path(given) == PATH


async def test_path_that_is_none_is_refused(client: httpx.AsyncClient, user: User, auth_headers: AuthHeaders) -> None:
    response = await client.post(URL, json={"path": "streams"}, headers=await auth_headers(user))
    problem_of(response, 422, "validation_failed")


async def test_oldest_tickets_end_when_there_are_too_many(
    client: httpx.AsyncClient, app: FastAPI, user: User, auth_headers: AuthHeaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_cases, "MOST_TICKETS", 3)
    headers = await auth_headers(user)
    issued = [(await client.post(URL, json={"path": PATH}, headers=headers)).json()["ticket"] for _ in range(5)]

    async with platform_of(app).database.snapshot() as session:
        stored = set(await session.scalars(select(StreamTicket.ticket_hash)))
    assert stored == {token_hash(ticket) for ticket in issued[2:]}


async def test_tickets_that_were_not_used_in_time_are_deleted(
    client: httpx.AsyncClient, app: FastAPI, user: User, auth_headers: AuthHeaders, ticket: str
) -> None:
    await _age(app, created_at=utc_now() - FIRST_USE_WITHIN * 2)
    await client.post(URL, json={"path": PATH}, headers=await auth_headers(user))
    async with platform_of(app).database.snapshot() as session:
        assert await session.get(StreamTicket, token_hash(ticket)) is not None  # another sign-in's

    async with platform_of(app).database.snapshot() as session:
        session_id = (await session.get_one(StreamTicket, token_hash(ticket))).session_id
    async with platform_of(app).database.transaction() as session:
        await use_cases.issue_ticket(session, session_id=session_id, path=PATH)
    async with platform_of(app).database.snapshot() as session:
        assert await session.get(StreamTicket, token_hash(ticket)) is None


async def test_tickets_of_one_user_are_limited_in_time(
    client: httpx.AsyncClient, app: FastAPI, user: User, auth_headers: AuthHeaders
) -> None:
    async with platform_of(app).database.transaction() as session:
        session.add(ThrottleCount(key=TICKETS.key(str(user.id)), count=TICKETS.most, expires_at=utc_now() + WINDOW))

    answer = await client.post(URL, json={"path": PATH}, headers=await auth_headers(user))

    problem_of(answer, 429, "rate_limited")
    assert answer.headers["Retry-After"]
