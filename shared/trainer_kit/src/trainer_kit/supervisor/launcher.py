"""How a runner is started. Whether one is there at all, only the lock in the attempt's folder tells for sure."""

import os
import signal
import subprocess
import sys
from typing import Protocol

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.settings import RunnerSettings

SECRETS = ("SERVICE_TOKEN", "PARENT_PIPE_FD", "JWT_SECRET", "DATABASE_URL", "ADMIN_PASSWORD", "METRICS_TOKEN")


class RunnerHandle(Protocol):
    """A runner that this process has started."""

    def is_running(self) -> bool:
        """False once it has ended, whether or not it ever took its lock. Reaps it."""
        ...


class Launcher(Protocol):
    """Starts runners somewhere: as processes here, as containers, on a cluster."""

    def launch(self, folder: AttemptFolder) -> RunnerHandle:
        """Starts the runner of an attempt whose folder is complete. Raises OSError if it cannot."""
        ...

    def kill(self, folder: AttemptFolder) -> None:
        """Ends a runner that does not react any more, whoever has started it."""
        ...

    def look_after(self) -> None:
        """Called several times a second, for what must be kept going between launches."""
        ...


class ProcessLauncher:
    """Runners as processes of this machine. They outlive the process that has started them."""

    def __init__(self, settings: RunnerSettings, adapter: str) -> None:
        self._settings = settings
        self._adapter = adapter

    def launch(self, folder: AttemptFolder) -> RunnerHandle:
        with folder.runner_log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "trainer_kit.runner", str(folder.path), "--adapter", self._adapter],
                cwd=self._settings.data_dir,
                env=runner_environment(self._settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return _Process(process)

    def kill(self, folder: AttemptFolder) -> None:
        runner = folder.find_process("runner")
        if runner is not None and runner.owner() == "itself":
            os.kill(runner.pid, signal.SIGKILL)

    def look_after(self) -> None:
        """Nothing lives between launches."""


def runner_environment(settings: RunnerSettings) -> dict[str, str]:
    """What a runner may know: the settings of its machine and its storage, and no secret of the service."""
    inherited = {name: value for name, value in os.environ.items() if name not in SECRETS}
    return inherited | settings.environment() | {"PYTHONSAFEPATH": "1"}


class _Process:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def is_running(self) -> bool:
        return self._process.poll() is None
