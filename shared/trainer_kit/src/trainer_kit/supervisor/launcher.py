"""Launchers of runners. Only the lock in the attempt's folder shows reliably that a runner runs."""

import os
import signal
import subprocess
import sys
from typing import Protocol

from http_kit.children import start_process
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.environments import runner_environment
from trainer_kit.settings import RunnerSettings


class RunnerHandle(Protocol):
    """A runner that this process has started."""

    def is_running(self) -> bool:
        """Return False, and reap it, once it has ended, even if it never took its lock."""
        ...


class Launcher(Protocol):
    """Starts runners somewhere: as processes here, as containers, on a cluster."""

    def launch(self, folder: AttemptFolder) -> RunnerHandle:
        """Start the runner of an attempt whose folder is complete. Raises OSError if it cannot."""
        ...

    def kill(self, folder: AttemptFolder) -> None:
        """Kill a runner that does not respond any more, also one of an earlier process."""
        ...

    def maintain(self) -> None:
        """Maintain what exists between launches. Called several times a second."""
        ...


class ProcessLauncher:
    """Launcher of runners as processes of this machine. They outlive the process that has started them."""

    def __init__(self, settings: RunnerSettings, adapter: str) -> None:
        self._settings = settings
        self._adapter = adapter

    def launch(self, folder: AttemptFolder) -> RunnerHandle:
        with folder.runner_log.open("ab") as log:
            process = start_process(
                [sys.executable, "-m", "trainer_kit.runner", str(folder.path), "--adapter", self._adapter],
                runner_environment(self._settings),
                folder=self._settings.data_dir,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return _ProcessRunner(process)

    def kill(self, folder: AttemptFolder) -> None:
        runner = folder.find_process("runner")
        if runner is not None and runner.owner() == "itself":
            os.kill(runner.pid, signal.SIGKILL)

    def maintain(self) -> None:
        """Do nothing: there is nothing between launches."""


class _ProcessRunner:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def is_running(self) -> bool:
        return self._process.poll() is None
