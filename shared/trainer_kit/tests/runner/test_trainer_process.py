"""Leftover processes of a dead runner, and others that only have the same PID."""

import json
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.runner.trainer_process import kill_leftovers


@pytest.fixture
def child() -> "Iterator[subprocess.Popen[bytes]]":
    """A group of its own."""
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        yield process
        process.kill()


def test_a_trainer_that_has_outlived_its_runner_is_killed(
    folder: AttemptFolder, child: "subprocess.Popen[bytes]"
) -> None:
    folder.remember_process("trainer", psutil.Process(child.pid))
    kill_leftovers(folder)
    assert child.wait(5) < 0


def test_a_process_of_the_same_number_in_another_container_is_left_alone(
    folder: AttemptFolder, child: "subprocess.Popen[bytes]"
) -> None:
    folder.remember_process("trainer", psutil.Process(child.pid))
    file = folder.path / "trainer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"space": "pid:[1]"}))
    kill_leftovers(folder)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.2)
