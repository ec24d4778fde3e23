"""Room of a disk, and its reserve."""

import shutil
from pathlib import Path

import pytest

from data_kit import DiskReserve, DiskRoom, disk, existing_folder


@pytest.mark.parametrize(("free", "status"), [(200, "ok"), (199, "low"), (100, "low"), (99, "full"), (0, "full")])
def test_status_is_low_below_twice_the_reserve_and_full_below_it(free: int, status: str) -> None:
    assert DiskRoom(free_bytes=free, reserve_bytes=100).status == status


def test_disk_without_a_reserve_is_never_full() -> None:
    assert DiskRoom(free_bytes=0, reserve_bytes=0).status == "ok"


@pytest.mark.parametrize(("total", "reserve"), [(10**12, 1024**3), (10**9, 5 * 10**7)])
def test_small_disk_keeps_a_twentieth(
    total: int, reserve: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(total=total)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage)

    assert DiskReserve(tmp_path).read().reserve_bytes == reserve


def test_reserve_that_was_given_is_kept_on_every_disk(tmp_path: Path) -> None:
    assert DiskReserve(tmp_path, 123).read().reserve_bytes == 123


def test_disk_is_read_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = DiskReserve(tmp_path)
    first = reserve.read()
    usage = shutil.disk_usage(tmp_path)._replace(free=7)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage)

    assert reserve.read() is first
    assert reserve.read_now().free_bytes == 7
    monkeypatch.setattr(disk, "READ_EVERY_SECONDS", 0.0)
    assert reserve.read().free_bytes == 7


def test_folder_that_does_not_exist_yet_is_on_the_disk_of_the_one_above(tmp_path: Path) -> None:
    assert existing_folder(tmp_path / "new/one") == tmp_path
    assert DiskReserve(tmp_path / "new/one").read().free_bytes > 0
