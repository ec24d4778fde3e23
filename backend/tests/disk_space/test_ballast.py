"""The ballast on a disk that others fill, and what a kill leaves of it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.small_disks import fill, free_bytes, needs_root

from data_kit import DiskReserve
from vision_api.config import Settings
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.disk_space.ballast import NAME, Ballast, release_ballast, running_ballast
from vision_api.migrate import upgrade
from vision_api.models import User

pytestmark = [needs_root, pytest.mark.one_database]

MEBIBYTE = 1024**2
SIZE = 64 * MEBIBYTE // 20 // 2
"""Half of the reserve of so small a disk."""


@pytest.fixture
def ballast(small: Path) -> Ballast:
    return Ballast(DiskReserve(small))


@pytest.mark.parametrize(
    ("reserve", "size"), [(1024**3, 64), (16 * 1024**3, 64), (512 * MEBIBYTE, 32), (32 * MEBIBYTE, 8), (0, 0)]
)
def test_size_follows_the_reserve(tmp_path: Path, reserve: int, size: int) -> None:
    assert Ballast(DiskReserve(tmp_path, reserve)).size_bytes() == size * MEBIBYTE


def test_file_takes_its_room_really(ballast: Ballast, small: Path) -> None:
    before = free_bytes(small)
    ballast.allocate_if_room()

    assert before - free_bytes(small) >= SIZE


def test_it_is_released_when_others_fill_the_disk_and_comes_back_with_the_room(ballast: Ballast, small: Path) -> None:
    ballast.allocate_if_room()
    filler = fill(small)
    ballast.release_if_full()
    assert free_bytes(small) >= SIZE

    ballast.allocate_if_room()
    assert not ballast.path.exists()

    filler.unlink()
    ballast.allocate_if_room()
    assert ballast.path.stat().st_size == SIZE


def test_it_stays_while_there_is_room(ballast: Ballast, small: Path) -> None:
    ballast.allocate_if_room()
    fill(small, leaving=SIZE)
    ballast.release_if_full()

    assert ballast.path.exists()


def test_file_of_a_process_that_was_killed_while_allocating_is_completed(ballast: Ballast) -> None:
    with ballast.path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, SIZE // 3)
    ballast.allocate_if_room()

    assert ballast.path.stat().st_size == SIZE
    assert ballast.path.stat().st_blocks * 512 >= SIZE


def test_file_of_a_larger_reserve_is_cut(ballast: Ballast, small: Path) -> None:
    Ballast(DiskReserve(small, 8 * MEBIBYTE)).allocate_if_room()
    ballast.allocate_if_room()

    assert ballast.path.stat().st_size == SIZE


async def test_database_on_a_full_disk_writes(settings: Settings, small: Path) -> None:
    settings = settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{small}/platform.db"})
    await upgrade(settings)
    database = Database(make_engine(settings))
    Ballast(DiskReserve(small)).allocate_if_room()

    async with running_ballast(database, settings):
        fill(small)
        async with database.transaction() as session:
            session.add(User(email="ann@example.com", role="user", password_hash="x"))
    await database.close()

    assert not (small / NAME).exists()
    with closing(sqlite3.connect(small / "platform.db")) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (1,)


def test_start_on_a_full_disk_releases_what_a_killed_backend_has_left(settings: Settings, small: Path) -> None:
    settings = settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{small}/platform.db"})
    Ballast(DiskReserve(small)).allocate_if_room()
    fill(small)

    release_ballast(settings, below_bytes=32 * MEBIBYTE)

    assert free_bytes(small) >= SIZE
