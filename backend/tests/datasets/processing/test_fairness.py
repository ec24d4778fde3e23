"""Turns of users: nobody's small data set waits for somebody else's large ones."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from support.common import AuthHeaders, MakeUser, problem_of
from support.dataset_api import DatasetApi, coins

from data_kit import ArchiveLimits, SplitOptions
from vision_api.background import repository, worker
from vision_api.background.repository import claim_next
from vision_api.datasets.processing.prepare import PrepareResult, ReportProgress
from vision_api.datasets.processing.processor import SMALL_BYTES, DatasetProcessor, versions_at_once
from vision_api.db.session import Database
from vision_api.models import Dataset, DatasetVersion
from vision_api.platform import platform_of

MakeApi = Callable[[], Coroutine[Any, Any, DatasetApi]]


@pytest.fixture
def make_api(
    processor: DatasetProcessor, client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders
) -> MakeApi:
    async def make() -> DatasetApi:
        user = await make_user()
        return DatasetApi(client, processor, user, await auth_headers(user))

    return make


@dataclass
class Held:
    """A preparation that lasts until it is let go, for each archive of another size."""

    sizes: list[int] = field(default_factory=list[int])
    begun: asyncio.Condition = field(default_factory=asyncio.Condition)
    released: set[int] = field(default_factory=set[int])

    async def prepare(
        self, archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None
    ) -> PrepareResult:
        size = archive.stat().st_size  # noqa: ASYNC240 - a test
        async with self.begun:
            self.sizes.append(size)
            self.begun.notify_all()
            await self.begun.wait_for(lambda: size in self.released)
        return PrepareResult([])

    async def wait_for(self, size: int) -> None:
        async with self.begun:
            await self.begun.wait_for(lambda: size in self.sizes)

    async def let_go(self, size: int) -> None:
        async with self.begun:
            self.released.add(size)
            self.begun.notify_all()


async def upload(api: DatasetApi, images: int, database: Database, *, is_large: bool) -> int:
    """Upload a data set, and return the size of its archive, which no other one has."""
    content = coins(images)
    dataset_id = (await api.upload(content)).json()["id"]
    if is_large:
        async with database.transaction() as session:
            ours = DatasetVersion.dataset_id == dataset_id
            await session.execute(update(DatasetVersion).where(ours).values(upload_bytes=SMALL_BYTES + 1))
    return len(content)


@asynccontextmanager
async def running(app: FastAPI, tmp_path: Path, held: Held, *, at_once: int) -> AsyncIterator[DatasetProcessor]:
    platform = platform_of(app)
    processor = DatasetProcessor(
        platform.database, platform.store, tmp_path / "held", ArchiveLimits(), held.prepare, at_once=at_once
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        await stack.enter_async_context(processor.running())
        yield processor


async def test_users_take_turns(database: Database, make_api: MakeApi) -> None:
    many, one, another = [await make_api() for _ in range(3)]
    for number in range(4):
        await many.upload(coins(), name=f"many {number}")
    await one.upload(coins(), name="one")
    await another.upload(coins(), name="another")

    claimed: list[str] = []
    for _ in range(6):
        async with database.transaction() as session:
            row = await claim_next(session, DatasetVersion, lease_seconds=60)
            assert row is not None
            claimed.append((await session.get_one(Dataset, row.dataset_id)).name)

    assert claimed == ["many 0", "one", "another", "many 1", "many 2", "many 3"]


async def test_a_user_who_was_served_long_ago_comes_before_one_who_was_served_just_now(
    database: Database, make_api: MakeApi
) -> None:
    first, second = await make_api(), await make_api()
    await first.upload(coins(), name="first")
    await second.upload(coins(), name="second")
    async with database.transaction() as session:
        await claim_next(session, DatasetVersion, lease_seconds=60)
    await first.upload(coins(), name="first again")

    async with database.transaction() as session:
        row = await claim_next(session, DatasetVersion, lease_seconds=60)

    assert row is not None
    assert row.created_by_id == second.user.id


async def test_one_users_large_data_sets_leave_room_for_the_others(
    app: FastAPI, database: Database, make_api: MakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL_SECONDS", 3600.0)
    greedy, other = await make_api(), await make_api()
    held = Held()
    large = [await upload(greedy, 2 + number, database, is_large=True) for number in range(4)]
    small = await upload(other, 1, database, is_large=False)
    await held.let_go(small)

    async with running(app, tmp_path, held, at_once=3):
        await held.wait_for(small)
        while (await other.get()).json()[0]["status"] == "processing":
            await asyncio.sleep(0.02)
        begun = list(held.sizes)

    assert begun == [large[0], small]  # the other three wait for the first


async def test_the_last_place_is_for_small_data_sets(
    app: FastAPI, database: Database, make_api: MakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL_SECONDS", 3600.0)
    apis = [await make_api() for _ in range(4)]
    held = Held()
    large = [await upload(api, 2 + number, database, is_large=True) for number, api in enumerate(apis[:3])]

    async with running(app, tmp_path, held, at_once=3):
        await held.wait_for(large[1])
        small = await upload(apis[3], 1, database, is_large=False)
        await held.wait_for(small)
        assert held.sizes == [large[0], large[1], small]
        await held.let_go(small)
        await held.let_go(large[0])
        await held.wait_for(large[2])  # side by side with the second


async def test_rows_in_work_are_put_back_when_the_backend_stops(
    app: FastAPI, database: Database, make_api: MakeApi, tmp_path: Path
) -> None:
    apis = [await make_api() for _ in range(3)]
    held = Held()
    sizes = [await upload(api, 1 + number, database, is_large=False) for number, api in enumerate(apis)]

    async with running(app, tmp_path, held, at_once=3):
        for size in sizes:
            await held.wait_for(size)

    async with database.snapshot() as session:
        rows = (await session.execute(select(DatasetVersion.tries, DatasetVersion.lease_expires_at))).all()
    assert [tuple(row) for row in rows] == [(0, None)] * 3
    assert list((tmp_path / "held").iterdir()) == []


def test_there_is_a_place_for_each_core_and_one_for_small_data_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert versions_at_once() == 3
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert versions_at_once() == 8


async def test_waiting_data_sets_of_a_user_are_bounded(make_api: MakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "MOST_WAITING", 1)
    greedy, other = await make_api(), await make_api()
    assert (await greedy.upload(coins())).status_code == 202

    problem = problem_of(await greedy.upload(coins()), 429, "quota_exceeded")

    assert problem["errors"][0]["params"] == {"limit": 1, "used": 1}
    assert (await other.upload(coins())).status_code == 202
