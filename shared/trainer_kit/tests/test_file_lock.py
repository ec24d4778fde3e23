import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trainer_kit.file_lock import FileLock, is_locked

HOLD = """
import sys
from pathlib import Path
from trainer_kit.file_lock import FileLock
lock = FileLock(Path(sys.argv[1]))
assert lock.acquire(shared=sys.argv[2] == "shared")
print("held", flush=True)
sys.stdin.read()
"""


ASK = """
import sys
from pathlib import Path
from trainer_kit.file_lock import is_locked
sys.exit(is_locked(Path(sys.argv[1])))
"""


@contextmanager
def held_elsewhere(path: Path, mode: str = "exclusive") -> "Iterator[subprocess.Popen[str]]":
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def test_a_lock_is_refused_while_another_process_holds_it_and_free_once_that_is_killed(path: Path) -> None:
    with held_elsewhere(path):
        assert is_locked(path)
        assert not FileLock(path).acquire(timeout_seconds=0.1)
        with pytest.raises(BlockingIOError), FileLock(path):
            pass
    assert not is_locked(path)
    with FileLock(path) as lock:
        assert lock.acquire()


def test_a_lock_that_nobody_ever_took_is_free(path: Path) -> None:
    assert not is_locked(path)
    assert not path.exists()


def test_readers_share_and_keep_a_writer_out(path: Path) -> None:
    with held_elsewhere(path, "shared"):
        lock = FileLock(path)
        assert lock.acquire(shared=True)
        assert not lock.acquire()
        lock.release()


def test_a_forked_child_does_not_hold_the_lock_of_its_parent(path: Path) -> None:
    theirs, ours = os.pipe()
    with FileLock(path):
        child = os.fork()
        if child == 0:
            os.read(theirs, 1)
            os._exit(0)
        assert is_locked_for_others(path)
    assert not is_locked_for_others(path)
    os.write(ours, b".")
    os.waitpid(child, 0)
    os.close(theirs)
    os.close(ours)


def is_locked_for_others(path: Path) -> bool:
    return subprocess.run([sys.executable, "-c", ASK, str(path)], check=False).returncode == 1


def test_a_refused_lock_leaves_no_descriptor_open(path: Path) -> None:
    with held_elsewhere(path):
        before = len(os.listdir("/dev/fd"))
        for _ in range(10):
            FileLock(path).acquire()
            is_locked(path)
        assert len(os.listdir("/dev/fd")) == before
