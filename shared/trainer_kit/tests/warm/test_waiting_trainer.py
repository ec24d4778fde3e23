"""A trainer that is killed while it waits for its work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.event_log import last_event
from trainer_kit.testing.fake_adapter import ADAPTER_PATH
from vision_contracts import Failed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a warm parent needs Linux")

RUN = """
import os, signal, sys
from pathlib import Path
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.event_log import EventLog
from trainer_kit.runner.runner import Runner
from trainer_kit.settings import RunnerSettings
from trainer_kit.warm.waiting_trainer import WaitingTrainer

folder, adapter, moment = AttemptFolder(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
waiting = WaitingTrainer.fork(close_in_child=[])
pid = waiting._pid

def kill():
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

def start(folder, inputs):
    if moment == "before":
        kill()
        return waiting.start(folder, inputs)
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)
    started = waiting.start(folder, inputs)
    kill()
    return started

Runner(folder, adapter, RunnerSettings(), EventLog(folder.events_file, 1), start).run()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_waiting_trainer_that_is_killed_around_the_handing_over_was_killed(
    folder: AttemptFolder, tmp_path: Path, moment: str
) -> None:
    """A loss that is nobody's fault, and so is tried again."""
    command = [sys.executable, "-c", RUN, str(folder.path), ADAPTER_PATH, moment]
    subprocess.run(command, env=os.environ | {"DATA_DIR": str(tmp_path)}, check=True, timeout=60)
    ending = last_event(folder.events_file)
    assert ending is not None
    assert isinstance(ending.body, Failed)
    assert ending.body.reason == "trainer_killed", ending.body.message
