"""One attempt in the service: a folder, and perhaps a runner."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from trainer_kit.attempt_folder import AttemptFolder, StopOrder
from trainer_kit.event_log import last_event
from trainer_kit.file_lock import is_locked
from trainer_kit.runner.recovery import recover_attempt
from trainer_kit.supervisor.errors import UnknownAttempt
from trainer_kit.supervisor.launcher import Launcher, RunnerHandle
from vision_contracts import HeldJob

UNRESPONSIVE_SECONDS = 60.0
"""Time that a runner has after a stop's grace, for SIGTERM, SIGKILL and the last uploads."""
RECOVERY_SECONDS = 5.0
"""Pause before another try to end an attempt that failed, such as on a full disk."""

log = logging.getLogger(__name__)


@dataclass
class Attempt:
    """An attempt, held until it is deleted. Its state is in its folder, so that a restart loses nothing."""

    job_uid: UUID
    folder: AttemptFolder
    runner: RunnerHandle | None = None
    """None also for a runner that an earlier process of this service has started: its lock shows that it runs."""
    clock: Callable[[], float] = time.monotonic
    _ended: HeldJob | None = field(init=False, default=None)
    _overdue_at: float = field(init=False, default=math.inf)
    _recover_at: float = field(init=False, default=0.0)

    @property
    def number(self) -> int:
        return self.folder.attempt

    @property
    def is_running(self) -> bool:
        return self.describe().state == "running"

    def describe(self) -> HeldJob:
        """Return the attempt's state: running until there is a terminal event."""
        if self._ended is not None:
            return self._ended
        event = last_event(self.folder.events_file)
        held = HeldJob(
            job_uid=self.job_uid,
            attempt=self.number,
            state="ended" if event is not None and event.is_terminal else "running",
            last_seq=event.seq if event is not None else 0,
            ended_as=event.body.type if event is not None and event.is_terminal else None,
        )
        if held.state == "ended":
            self._ended = held
        return held

    def check_can_resume(self, *, after: int) -> None:
        """Check that a reader of the events up to `after` can resume. Raises UnknownAttempt if there is no such number.

        A power cut may lose the newest events: their reader would wait for a terminal event with an older number.
        """
        last_seq = self.describe().last_seq
        if after > last_seq:
            raise UnknownAttempt(
                f"The events of attempt {self.number} of job {self.job_uid} end with number {last_seq}: there is no "
                f"number {after}."
            )

    def order_stop(self, order: StopOrder) -> None:
        """Order a stop, which the runner reads and carries out. A further order does not extend its deadline."""
        standing = self.folder.order_stop(order)
        grace_seconds = 0.0 if standing.mode == "kill" else standing.grace_seconds
        self._overdue_at = min(self._overdue_at, self.clock() + UNRESPONSIVE_SECONDS + grace_seconds)

    def supervise(self, launcher: Launcher) -> None:
        """Reap the runner; kill it if it is overdue; end the attempt if it is dead. Cheap."""
        if self.runner is not None and not self.runner.is_running():
            self.runner = None
        if not self.is_running:
            return
        if self.runner is None and not is_locked(self.folder.lock_file):
            self._recover()
        elif self.clock() > self._overdue_at:
            log.warning("attempt %d of job %s does not stop: killing its runner", self.number, self.job_uid)
            launcher.kill(self.folder)

    def _recover(self) -> None:
        if self.clock() < self._recover_at:
            return
        self._recover_at = self.clock() + RECOVERY_SECONDS
        if recover_attempt(self.folder):
            ended_as = self.describe().ended_as
            log.warning("attempt %d of job %s had no runner any more: %s", self.number, self.job_uid, ended_as)
