"""A launcher that forks runners from a warm parent; as fresh processes if that is impossible."""

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable

from http_kit.children import start_process, with_values
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.environments import runner_environment, storage_environment, trainer_environment
from trainer_kit.settings import RunnerSettings
from trainer_kit.supervisor.launcher import ProcessLauncher, RunnerHandle
from trainer_kit.warm.requests import READY, RunnerRequest, is_held, request_runner

WARM_UP_SECONDS = 180.0
MAX_FAILURES = 3
"""Number of parents in a row that failed to import, after which every runner is a fresh process."""
STABLE_SECONDS = 60.0
RESTART_SECONDS = 5.0
"""Pause before a parent that died early, as for lack of memory, is replaced, unless a runner is requested."""
FOLDER = "warm"
KEEP_ENVIRONMENT = {"SPT_NOENV": "1"}
"""Keeps process titles from overwriting /proc/<pid>/environ, by which operators find processes."""

log = logging.getLogger(__name__)


class WarmLauncher:
    """Satisfies `Launcher`. A runner that is requested while the parent still imports starts right after."""

    def __init__(
        self,
        settings: RunnerSettings,
        adapter: str,
        *,
        idle_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._adapter = adapter
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._fresh = ProcessLauncher(settings, adapter)
        self._mutex = threading.Lock()
        self._parent: WarmParent | None = None
        self._failures = 0
        self._start_at: float | None = clock()
        """Time to start a parent before a runner is requested; None for never."""

    @staticmethod
    def is_possible() -> bool:
        """Return whether the libraries survive a fork here (not on macOS)."""
        return sys.platform == "linux"

    def launch(self, folder: AttemptFolder) -> RunnerHandle:
        """Request a runner from the parent, which is started if there is none. Raises OSError if it cannot be."""
        request = RunnerRequest(
            folder=folder.path,
            working_dir=self._settings.data_dir,
            storage_environment=storage_environment(runner_environment(self._settings)),
        )
        with self._mutex:
            self._handle_exit()
            if self._failures >= MAX_FAILURES:
                return self._fresh.launch(folder)
            if self._parent is not None:
                try:
                    return _ForkedRunner(request_runner(self._parent.requests, request))
                except ConnectionError:
                    log.debug("the warm parent has just ended")
            self._parent = self._start_parent()
            return _ForkedRunner(request_runner(self._parent.requests, request))

    def kill(self, folder: AttemptFolder) -> None:
        """Kill the runner, as one in a fresh process."""
        self._fresh.kill(folder)

    def maintain(self) -> None:
        """Keep a parent ready. One that has ended when idle is started again by the next launch."""
        with self._mutex:
            self._handle_exit()
            if self._parent is None and self._start_at is not None and self._clock() >= self._start_at:
                self._start_at = self._clock() + RESTART_SECONDS  # delays the next try, if this one fails
                self._parent = self._start_parent()

    def _start_parent(self) -> "WarmParent":
        # Never emptied: the parent of a service that was killed a moment ago may still be importing there.
        (self._settings.data_dir / FOLDER).mkdir(exist_ok=True)
        return WarmParent(self._settings, self._adapter, self._idle_seconds, self._clock())

    def _handle_exit(self) -> None:
        """Reap a parent that has ended, and schedule the next one."""
        if self._parent is None:
            return
        age = self._clock() - self._parent.started_at
        if not self._parent.is_ready and age > WARM_UP_SECONDS:
            self._parent.kill()
        code = self._parent.exit_code()
        if code is None:
            return
        was_ready, self._parent = self._parent.is_ready, None
        if code == 0:
            self._start_at = None
            return
        log.warning("the warm parent has ended with exit code %d after %.0f s", code, age)
        self._failures = 0 if was_ready else self._failures + 1
        self._start_at = self._clock() + (0.0 if age > STABLE_SECONDS else RESTART_SECONDS)
        if self._failures >= MAX_FAILURES:
            self._start_at = None
            log.error("%s cannot be kept warm: each training imports it anew", self._adapter)


class WarmParent:
    """The process of `trainer_kit.warm`. It ends when its socket closes, at the latest with this process."""

    def __init__(self, settings: RunnerSettings, adapter: str, idle_seconds: float, started_at: float) -> None:
        self.started_at = started_at
        self.requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = start_process(
                [
                    sys.executable, "-m", "trainer_kit.warm", "--adapter", adapter,
                    "--requests", str(theirs.fileno()), "--idle-seconds", str(idle_seconds),
                ],
                with_values(trainer_environment(runner_environment(settings)), KEEP_ENVIRONMENT),
                folder=settings.data_dir / FOLDER, pass_fds=[theirs.fileno()],
            )  # fmt: skip
        except BaseException:
            self.requests.close()
            raise
        finally:
            theirs.close()
        self._is_ready = False

    @property
    def is_ready(self) -> bool:
        """True once everything is imported."""
        if not self._is_ready:
            try:
                self._is_ready = self.requests.recv(len(READY), socket.MSG_DONTWAIT) == READY
            except OSError:
                return False
        return self._is_ready

    def exit_code(self) -> int | None:
        """Return the exit code of a parent that has ended, and reap it; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Kill a parent that hangs."""
        self._process.kill()
        self._process.wait()


class _ForkedRunner:
    """Satisfies `RunnerHandle`, by the lifeline of a forked runner."""

    def __init__(self, lifeline: socket.socket) -> None:
        self._lifeline = lifeline

    def is_running(self) -> bool:
        if is_held(self._lifeline):
            return True
        self._lifeline.close()
        return False
