"""Limits of guesses and of expensive public routes: counted in the database, for all backends together."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from support.common import PASSWORD, MakeUser, problem_of, replace_parts

from vision_api.auth.throttles.limits import (
    ACCOUNT,
    ACCOUNT_IN_NETWORK,
    ADDRESS,
    KNOWN_FOR,
    MOST_NETWORKS,
    REFRESHES,
    REFUSED_REFRESHES,
    REGISTRATIONS,
    WINDOW,
    account_mark,
)
from vision_api.auth.throttles.repository import remember_network
from vision_api.auth.throttles.use_cases import count_sign_in
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.main import create_app
from vision_api.models import SignInNetwork, ThrottleCount, User
from vision_api.platform import platform_of

LOGIN = "/api/v1/auth/login"
MINA = "mina@example.com"


@dataclass
class StandingClock:
    """A clock that a test sets forward."""

    now: datetime = field(default_factory=utc_now)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(app: FastAPI) -> StandingClock:
    clock = StandingClock()
    replace_parts(app, clock=clock)
    return clock


@asynccontextmanager
async def client_at(app: FastAPI, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an address of its own."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def sign_in(app: FastAPI, address: str, email: str = MINA, password: str = PASSWORD) -> httpx.Response:
    async with client_at(app, address) as client:
        return await client.post(LOGIN, json={"email": email, "password": password})


async def guess(app: FastAPI, address: str, email: str = MINA) -> int:
    return (await sign_in(app, address, email, "wrong")).status_code


async def count_guesses(app: FastAPI, email: str, addresses: list[str]) -> None:
    """Count an attempt of each address, as a guess does."""
    for address in addresses:
        async with platform_of(app).database.transaction() as session:
            await count_sign_in(session, email=email, address=address, now=platform_of(app).clock())


@pytest.fixture
async def second_app(settings: Settings, app: FastAPI) -> AsyncIterator[FastAPI]:
    """Another backend on the same database."""
    other = create_app(settings, background=False)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(other.router.lifespan_context(other))
        replace_parts(other, clock=platform_of(app).clock)
        yield other


async def test_guesses_at_two_backends_count_together(
    app: FastAPI, clock: StandingClock, second_app: FastAPI, make_user: MakeUser
) -> None:
    await make_user(MINA)

    for number in range(ACCOUNT_IN_NETWORK.most):
        assert await guess((app, second_app)[number % 2], "192.0.2.7") == 401

    for backend in (app, second_app):
        answer = await sign_in(backend, "192.0.2.200")  # same /24
        problem_of(answer, 429, "rate_limited")
        assert int(answer.headers["Retry-After"]) == WINDOW.total_seconds() + 1
    assert (await sign_in(second_app, "192.0.3.7")).status_code == 200
    clock.now += WINDOW
    assert (await sign_in(app, "192.0.2.7")).status_code == 200


async def test_guesses_that_are_sent_at_once_all_count(app: FastAPI, make_user: MakeUser) -> None:
    await make_user(MINA)

    answers = await asyncio.gather(*(guess(app, "192.0.2.7") for _ in range(3 * ACCOUNT_IN_NETWORK.most)))

    assert answers.count(401) == ACCOUNT_IN_NETWORK.most
    assert answers.count(429) == len(answers) - ACCOUNT_IN_NETWORK.most


async def test_refused_guesses_do_not_lengthen_the_window(
    app: FastAPI, clock: StandingClock, make_user: MakeUser
) -> None:
    await make_user(MINA)
    for _ in range(ACCOUNT_IN_NETWORK.most):
        await guess(app, "2001:db8::1")
    clock.now += WINDOW / 2

    for number in range(2 * ACCOUNT_IN_NETWORK.most):
        assert await guess(app, f"2001:db8::{number + 2:x}") == 429  # same /64

    clock.now += WINDOW / 2
    assert (await sign_in(app, "2001:db8::1")).status_code == 200


async def test_account_guessed_from_everywhere_is_open_where_it_signed_in_lately(
    app: FastAPI, clock: StandingClock, make_user: MakeUser
) -> None:
    await make_user(MINA)
    assert (await sign_in(app, "198.51.100.5")).status_code == 200
    await count_guesses(app, MINA, [f"10.0.{number}.1" for number in range(ACCOUNT.most)])

    stranger = await sign_in(app, "203.0.113.1")
    problem_of(stranger, 429, "rate_limited")
    assert (await sign_in(app, "198.51.100.77")).status_code == 200  # the known network

    clock.now += KNOWN_FOR + timedelta(seconds=1)
    await count_guesses(app, MINA, [f"10.0.{number}.1" for number in range(ACCOUNT.most)])
    problem_of(await sign_in(app, "198.51.100.5"), 429, "rate_limited")


async def test_unknown_account_is_refused_as_a_known_one(app: FastAPI, clock: StandingClock) -> None:
    await count_guesses(app, "nobody@example.com", [f"10.0.{number}.1" for number in range(ACCOUNT.most)])

    assert await guess(app, "203.0.113.1", "nobody@example.com") == 429


async def test_users_behind_an_attackers_address_sign_in_with_the_right_password(
    app: FastAPI, clock: StandingClock, make_user: MakeUser
) -> None:
    await make_user(MINA)
    await make_user("joon@example.com")
    for number in range(ADDRESS.most):
        await count_guesses(app, f"user{number}@example.com", ["192.0.2.7"])

    assert (await sign_in(app, "192.0.2.7")).status_code == 200
    assert await guess(app, "192.0.2.7", "joon@example.com") == 401
    problem_of(await sign_in(app, "192.0.2.7", "joon@example.com"), 429, "rate_limited")
    assert (await sign_in(app, "192.0.2.8", "joon@example.com")).status_code == 200
    # She signed in here before: her slip counts as hers alone.
    assert await guess(app, "192.0.2.7") == 401
    assert (await sign_in(app, "192.0.2.7")).status_code == 200


async def test_right_passwords_are_taken_back(app: FastAPI, clock: StandingClock, make_user: MakeUser) -> None:
    await make_user(MINA)
    for _ in range(ACCOUNT_IN_NETWORK.most):
        await guess(app, "192.0.2.7")
        clock.now += timedelta(seconds=1)
        assert (await sign_in(app, "192.0.2.7")).status_code == 200

    async with platform_of(app).database.snapshot() as session:
        assert await session.get(ThrottleCount, ACCOUNT_IN_NETWORK.key(MINA, "192.0.2.0/24")) is None
        assert (await session.get_one(ThrottleCount, ACCOUNT.key(MINA))).count == 0


async def test_backend_killed_between_attempt_and_answer_leaves_one_attempt(
    app: FastAPI, clock: StandingClock, make_user: MakeUser
) -> None:
    await make_user(MINA)
    await count_guesses(app, MINA, ["192.0.2.7"])  # and then nothing: the process is gone

    assert (await sign_in(app, "192.0.2.7")).status_code == 200


async def test_expired_counts_are_deleted(app: FastAPI, clock: StandingClock) -> None:
    for number in range(20):
        await count_guesses(app, f"user{number}@example.com", [f"10.0.{number}.1"])
    clock.now += WINDOW

    for _ in range(10):
        assert await guess(app, "192.0.2.7", "nobody@example.com") == 401

    async with platform_of(app).database.snapshot() as session:
        assert await session.scalar(select(func.count()).select_from(ThrottleCount)) == 3


async def test_networks_of_sign_ins_are_bounded(database: Database, owner: User) -> None:
    now = utc_now()
    for number in range(5):
        async with database.transaction() as session:
            await remember_network(
                session, user_id=owner.id, network=f"10.0.{number}.0/24", now=now + timedelta(seconds=number),
                forget_before=now - KNOWN_FOR, most=3,
            )  # fmt: skip

    async with database.snapshot() as session:
        kept = set(await session.scalars(select(SignInNetwork.network)))
    assert kept == {"10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24"}
    assert MOST_NETWORKS > 3


async def test_registrations_from_one_network_are_limited(app: FastAPI, clock: StandingClock) -> None:
    key = REGISTRATIONS.key("192.0.2.0/24")
    async with platform_of(app).database.transaction() as session:
        session.add(ThrottleCount(key=key, count=REGISTRATIONS.most - 1, expires_at=clock.now + WINDOW))

    async def register(address: str, email: str) -> httpx.Response:
        async with client_at(app, address) as client:
            return await client.post("/api/v1/auth/register", json={"email": email, "password": PASSWORD})

    assert (await register("192.0.2.7", "one@example.com")).status_code == 201
    refused = await register("192.0.2.8", "two@example.com")
    problem_of(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"]
    assert (await register("192.0.3.7", "two@example.com")).status_code == 201


async def test_bad_refresh_tokens_are_limited_and_good_ones_from_there_are_heard(
    app: FastAPI, clock: StandingClock, make_user: MakeUser
) -> None:
    await make_user(MINA)
    good = (await sign_in(app, "192.0.2.7")).json()["refresh_token"]
    key = REFUSED_REFRESHES.key("192.0.2.0/24")
    async with platform_of(app).database.transaction() as session:
        session.add(ThrottleCount(key=key, count=REFUSED_REFRESHES.most - 1, expires_at=clock.now + WINDOW))

    async with client_at(app, "192.0.2.7") as client:
        refresh = "/api/v1/auth/refresh"
        problem_of(await client.post(refresh, json={"refresh_token": "guess"}), 401, "token_invalid")
        problem_of(await client.post(refresh, json={"refresh_token": "guess"}), 429, "rate_limited")
        assert (await client.post(refresh, json={"refresh_token": good})).status_code == 200


async def test_one_sign_in_cannot_refresh_without_end(app: FastAPI, clock: StandingClock, make_user: MakeUser) -> None:
    await make_user(MINA)
    tokens = (await sign_in(app, "192.0.2.7")).json()

    async with client_at(app, "192.0.2.7") as client:
        for _ in range(REFRESHES.most):
            answer = await client.post("/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
            assert answer.status_code == 200
            tokens = answer.json()
        again = {"refresh_token": tokens["refresh_token"]}
        problem_of(await client.post("/api/v1/auth/refresh", json=again), 429, "rate_limited")
        clock.now += WINDOW
        assert (await client.post("/api/v1/auth/refresh", json=again)).status_code == 200


async def test_refused_login_names_the_account_hashed_and_the_address(
    app: FastAPI, clock: StandingClock, make_user: MakeUser, caplog: pytest.LogCaptureFixture
) -> None:
    await make_user(MINA)
    with caplog.at_level(logging.INFO, logger="vision_api.auth"):
        for _ in range(ACCOUNT_IN_NETWORK.most + 1):
            await guess(app, "192.0.2.7")

    refused = [record.getMessage() for record in caplog.records if "login refused" in record.getMessage()]
    assert len(refused) == ACCOUNT_IN_NETWORK.most + 1
    assert all(f"account {account_mark(MINA)} at 192.0.2.7" in message for message in refused)
    assert MINA not in caplog.text
    assert "too many attempts" in refused[-1]
