"""Transactions commit whole or not at all, snapshots stand still, and types come back as they were."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import StatementError
from support.common import PASSWORD_HASH

from vision_api.config import Settings
from vision_api.db.base import database_now
from vision_api.db.engine import database_url, make_engine
from vision_api.db.session import Database, announce_after_commit
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.clock import utc_now
from vision_api.models import User


def _user(email: str, created_at: datetime | None = None) -> User:
    return User(email=email, password_hash=PASSWORD_HASH, created_at=created_at or utc_now())


async def _count(database: Database) -> int:
    async with database.snapshot() as session:
        return (await session.execute(select(func.count()).select_from(User))).scalar_one()


async def test_exception_takes_everything_back(database: Database) -> None:
    async def fail_after_writing() -> None:
        async with database.transaction() as session:
            session.add(_user("a"))
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_writing()
    assert await _count(database) == 0


async def test_cancelled_writer_takes_everything_back_and_lets_the_next_one_write(database: Database) -> None:
    inside = asyncio.Event()

    async def write_forever() -> None:
        async with database.transaction() as session:
            session.add(_user("a"))
            await session.flush()
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write_forever())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.transaction() as session:
        session.add(_user("b"))
    assert await _count(database) == 1


async def test_snapshot_sees_one_state_throughout(database: Database) -> None:
    async with database.snapshot() as session:
        count = select(func.count()).select_from(User)
        before = (await session.execute(count)).scalar_one()
        async with database.transaction() as writer:
            writer.add(_user("a"))
        assert (await session.execute(count)).scalar_one() == before == 0
    assert await _count(database) == 1


async def test_writers_at_the_same_moment_all_succeed(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.transaction() as session:
            await session.execute(select(func.count()).select_from(User))
            session.add(_user(f"user{number}"))

    await asyncio.gather(*(write(number) for number in range(20)))
    assert await _count(database) == 20


async def test_times_come_back_aware_and_equal(database: Database) -> None:
    seoul = datetime(2026, 1, 31, 21, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    async with database.transaction() as session:
        session.add(_user("a", created_at=seoul))
    async with database.snapshot() as session:
        stored = (await session.scalars(select(User.created_at))).one()
    assert stored == seoul
    assert stored.tzinfo is UTC


async def test_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        async with database.transaction() as session:
            session.add(_user("a", created_at=datetime(2026, 1, 31)))  # noqa: DTZ001


async def test_clock_of_the_database_compares_with_ours(database: Database) -> None:
    async with database.transaction() as session:
        session.add(_user("a"))
    async with database.snapshot() as session:
        now, later = (await session.execute(select(database_now(), database_now(-90.5)))).one()
        assert abs(now - utc_now()) < timedelta(seconds=5)
        assert abs((now - later) - timedelta(seconds=90.5)) < timedelta(seconds=1)
        recent = select(func.count()).where(User.created_at > database_now(-60), User.created_at < database_now(60))
        assert (await session.execute(recent)).scalar_one() == 1


async def test_sqlite_refuses_rows_that_refer_to_nothing(settings: Settings) -> None:
    if not settings.is_sqlite:
        return
    engine = make_engine(settings)
    async with engine.connect() as connection:
        assert (await connection.execute(text("PRAGMA foreign_keys"))).scalar_one() == 1
        assert (await connection.execute(text("PRAGMA journal_mode"))).scalar_one() == "wal"
    await engine.dispose()


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql://u:p@h:1/d?sslmode=require", "postgresql+asyncpg://u:p@h:1/d?ssl=require"),
        ("postgresql+psycopg2://h/d?channel_binding=require&sslmode=disable", "postgresql+asyncpg://h/d?ssl=disable"),
        ("sqlite:////data/x.db", "sqlite+aiosqlite:////data/x.db"),
    ],
)
def test_addresses_are_understood_as_hosts_give_them(given: str, understood: str) -> None:
    assert database_url(given).render_as_string(hide_password=False) == understood


def test_other_databases_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="DATABASE_URL"):
        database_url("mysql://h/d")


async def test_version_is_another_after_every_commit_and_only_then(database: Database) -> None:
    before = database.version()
    await _count(database)
    assert database.version() == before
    async with database.transaction() as session:
        session.add(_user("a"))
        await session.flush()
        assert database.version() == before
    if database.is_sqlite:
        assert None is not before != database.version()
    else:
        assert database.version() is None  # a query would take as long as reading


def test_only_a_plain_file_has_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in (f"sqlite:///{tmp_path}/missing.db", f"sqlite:///file:{tmp_path}/x.db?uri=true"):
        assert Database(make_engine(Settings(database_url=url, data_dir=tmp_path, service_urls={}))).version() is None
    assert list(tmp_path.iterdir()) == []


async def test_an_announcement_is_sent_by_the_commit_and_dropped_by_a_rollback(database: Database) -> None:
    heard: list[int] = []
    database.on_committed("subject", heard.append)
    with pytest.raises(ValueError, match="rolled back"):  # noqa: PT012 - the transaction is under test
        async with database.transaction() as session:
            announce_after_commit(session, "subject", 1)
            raise ValueError("rolled back")
    async with database.transaction() as session:
        announce_after_commit(session, "subject", 2)
        announce_after_commit(session, "subject", 2)
        announce_after_commit(session, "nobody", 3)
        assert heard == []

    assert heard == [2]


@pytest.mark.parametrize("kind", ["snapshot", "transaction"])
async def test_a_cancelled_task_ends_even_if_the_driver_answers_with_an_error(database: Database, kind: str) -> None:
    """A loop retries after DatabaseUnavailable: taken for an outage, a cancellation would get lost."""
    begun = asyncio.Event()

    async def loop() -> None:
        for seconds in (3600, 0):
            with suppress(DatabaseUnavailable):
                async with getattr(database, kind)():
                    try:
                        begun.set()
                        await asyncio.sleep(seconds)
                    except asyncio.CancelledError as error:
                        raise DatabaseUnavailable from error

    task = asyncio.create_task(loop())
    await begun.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=10)

    assert task.cancelled()
