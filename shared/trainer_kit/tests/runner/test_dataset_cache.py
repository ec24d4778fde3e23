import errno
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer_kit.runner import dataset_cache
from trainer_kit.runner.dataset_cache import DatasetCache

USE = """
import sys, time
from pathlib import Path
from trainer_kit.runner.dataset_cache import DatasetCache

def make(folder):
    print("making", flush=True)
    (folder / "half").write_text("half")
    if sys.argv[3] == "hang":
        time.sleep(60)
    (folder / "image").write_text("x" * 100)

path, lock = DatasetCache(Path(sys.argv[1]), 10**9).use(sys.argv[2], make)
print("have", sorted(p.name for p in path.iterdir()), flush=True)
sys.stdin.read()
"""


def start_user(cache: Path, key: str, how: str = "well") -> "subprocess.Popen[str]":
    """Another runner that uses a data set until its input ends."""
    command = [sys.executable, "-c", USE, str(cache), key, how]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def make(folder: Path) -> None:
    (folder / "image").write_text("x" * 100)


def refuse(_folder: Path) -> None:
    raise AssertionError("it is there already")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "datasets"


def use_and_leave(cache: Path, key: str, max_bytes: int = 10**9, used_at: float | None = None) -> None:
    path, lock = DatasetCache(cache, max_bytes).use(key, make)
    assert path.is_dir()
    lock.release()
    if used_at is not None:
        os.utime(cache / f"{key}.lock", (used_at, used_at))


def test_a_data_set_is_made_once(cache: Path) -> None:
    use_and_leave(cache, "a")
    path, lock = DatasetCache(cache, 10**9).use("a", refuse)
    assert (path / "image").exists()
    lock.release()


def test_two_runners_at_once_make_it_once_and_both_use_it(cache: Path) -> None:
    with start_user(cache, "a") as first, start_user(cache, "a") as second:
        said = [say(first), say(second)]
        maker = first if said[0] == "making" else second
        assert sorted(said) == ["have ['half', 'image']", "making"]
        assert say(maker) == "have ['half', 'image']"
        first.kill()
        second.kill()


def test_what_a_killed_runner_left_half_made_is_made_anew(cache: Path) -> None:
    with start_user(cache, "a", "hang") as killed:
        assert say(killed) == "making"
        killed.send_signal(signal.SIGKILL)
    path, lock = DatasetCache(cache, 10**9).use("a", make)
    assert [file.name for file in path.iterdir()] == ["image"]
    lock.release()


def test_what_a_killed_runner_left_goes_when_another_data_set_is_used(cache: Path) -> None:
    with start_user(cache, "killed", "hang") as killed, start_user(cache, "slow", "hang") as slow:
        assert (say(killed), say(slow)) == ("making", "making")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        for name in ("killed.zip", ".killed.zip.123.partial", ".slow.zip.124.partial"):
            (cache / name).write_bytes(b"half")
        use_and_leave(cache, "a")
        left = {path.name for path in cache.iterdir() if path.suffix != ".lock"}
        slow.kill()
    assert left == {"a", "a.size", "slow.partial", ".slow.zip.124.partial"}


def test_a_making_that_fails_leaves_nothing(cache: Path) -> None:
    def fail(folder: Path) -> None:
        make(folder)
        raise ValueError("broken archive")

    with pytest.raises(ValueError, match="broken archive"):
        DatasetCache(cache, 10**9).use("a", fail)
    assert [path.name for path in cache.iterdir()] == ["a.lock"]
    use_and_leave(cache, "a")


def cut_off(image: Path) -> None:
    image.write_bytes(b"")


def write_over(image: Path) -> None:
    image.write_text("y" * 100)


def rename(image: Path) -> None:
    image.rename(image.with_name("picture"))


@pytest.mark.parametrize("harm", [Path.unlink, cut_off, write_over, rename])
def test_a_data_set_that_was_changed_is_made_anew(cache: Path, harm: Callable[[Path], None]) -> None:
    use_and_leave(cache, "a")
    harm(cache / "a" / "image")

    path, lock = DatasetCache(cache, 10**9).use("a", make)

    assert (path / "image").read_text() == "x" * 100
    lock.release()


def test_a_data_set_that_lost_content_is_made_anew_once_nobody_uses_it(cache: Path) -> None:
    with start_user(cache, "a") as user:
        assert (say(user), say(user)) == ("making", "have ['half', 'image']")
        (cache / "a" / "image").unlink()
        with start_user(cache, "a") as next_user:
            assert next_user.stdout is not None
            assert select.select([next_user.stdout], [], [], 0.5)[0] == []
            user.kill()
            assert (say(next_user), say(next_user)) == ("making", "have ['half', 'image']")
            next_user.kill()


def test_a_data_set_that_is_in_use_and_was_changed_is_made_a_second_time(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training may use it for a long time."""
    monkeypatch.setattr(dataset_cache, "CHANGED_SECONDS", 0.0)
    with start_user(cache, "a") as user:
        assert (say(user), say(user)) == ("making", "have ['half', 'image']")
        (cache / "a" / ".DS_Store").write_text("of a file manager")
        path, lock = DatasetCache(cache, 10**9).use("a", make)
        assert [file.name for file in path.iterdir()] == ["image"]
        lock.release()
        assert DatasetCache(cache, 10**9).use("a", refuse)[0] == path
        user.kill()


def test_a_data_set_whose_size_was_never_written_is_made_anew(cache: Path) -> None:
    use_and_leave(cache, "a")
    (cache / "a.size").unlink()
    use_and_leave(cache, "a")
    assert (cache / "a.size").read_text().startswith("100 ")


def test_a_full_disk_is_freed_of_unused_data_sets_and_it_is_tried_again(cache: Path) -> None:
    use_and_leave(cache, "old")

    def make_where_there_is_room(folder: Path) -> None:
        if (cache / "old").exists():
            (folder / "half").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")
        make(folder)

    path, lock = DatasetCache(cache, 10**9).use("new", make_where_there_is_room)

    assert [file.name for file in path.iterdir()] == ["image"]
    lock.release()


def test_a_full_disk_is_freed_of_what_killed_runners_left_and_it_is_tried_again(cache: Path) -> None:
    with start_user(cache, "killed", "hang") as killed:
        assert say(killed) == "making"
        killed.send_signal(signal.SIGKILL)

    def make_where_there_is_room(folder: Path) -> None:
        if (cache / "killed.partial").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        make(folder)

    path, lock = DatasetCache(cache, 10**9).use("new", make_where_there_is_room)

    assert [file.name for file in path.iterdir()] == ["image"]
    lock.release()


def test_a_full_disk_with_nothing_to_free_is_said(cache: Path) -> None:
    def fail(_folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        DatasetCache(cache, 10**9).use("a", fail)


def test_many_runners_at_a_cache_that_holds_one_all_get_theirs(cache: Path) -> None:
    """A runner must not remove the data set that another has just filled."""
    users = [start_user(cache, key) for key in "abcabc"]
    try:
        for user in users:
            assert any(say(user) == "have ['half', 'image']" for _ in range(2))
    finally:
        for user in users:
            user.kill()
            user.communicate()


def test_what_was_unused_for_longest_goes_first_when_there_is_too_much(cache: Path) -> None:
    for key, used_at in (("old", 1.0), ("older", 0.0), ("new", 2.0)):
        use_and_leave(cache, key, used_at=used_at)
    use_and_leave(cache, "newest", max_bytes=250)
    assert {path.name for path in cache.iterdir() if path.is_dir()} == {"new", "newest"}


def test_what_is_in_use_stays_even_beyond_the_bound(cache: Path) -> None:
    with start_user(cache, "used") as user:
        assert say(user) == "making"
        assert say(user).startswith("have")
        use_and_leave(cache, "new", max_bytes=0)
        assert (cache / "used" / "image").exists()
        user.kill()
    use_and_leave(cache, "newer", max_bytes=0)
    assert {path.name for path in cache.iterdir() if path.is_dir()} == {"newer"}
