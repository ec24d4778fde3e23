"""One attempt as the service sees it: a folder, and perhaps a runner."""

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
"""How long a runner may take after the grace of a stop: SIGTERM, SIGKILL and the last uploads lie in it."""
RECOVERY_SECONDS = 5.0
"""How long to wait before a second try to end an attempt, such as on a full disk."""

log = logging.getLogger(__name__)


@dataclass
class Attempt:
    """Held until it is deleted. Its state is what stands in its folder, so that a restart loses nothing."""

    job_uid: UUID
    folder: AttemptFolder
    runner: RunnerHandle | None = None
    """None also for a runner that an earlier process of this service has started: that one is known by its lock."""
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
        """Running until there is a terminal event."""
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

    def expect_reader(self, *, after: int) -> None:
        """Raises UnknownAttempt for a number that there is not: a power cut may take the newest events, and who has
        read them would wait for an end that has an older number.
        """
        last_seq = self.describe().last_seq
        if after > last_seq:
            raise UnknownAttempt(
                f"The events of attempt {self.number} of job {self.job_uid} end with number {last_seq}: there is no "
                f"number {after}."
            )

    def order_stop(self, order: StopOrder) -> None:
        """The runner sees the order within a moment, and carries it out. One more order gives it no more time."""
        standing = self.folder.order_stop(order)
        grace_seconds = 0.0 if standing.mode == "kill" else standing.grace_seconds
        self._overdue_at = min(self._overdue_at, self.clock() + UNRESPONSIVE_SECONDS + grace_seconds)

    def look_after(self, launcher: Launcher) -> None:
        """Reaps the runner; kills it if it does not obey; ends the attempt if it is dead. Costs little."""
        if self.runner is not None and not self.runner.is_running():
            self.runner = None
        if not self.is_running:
            return
        if self.runner is None and not is_locked(self.folder.lock_file):
            self._recover()
        elif self.clock() > self._overdue_at:
            log.warning("attempt %d of job %s does not obey: killing its runner", self.number, self.job_uid)
            launcher.kill(self.folder)

    def _recover(self) -> None:
        if self.clock() < self._recover_at:
            return
        self._recover_at = self.clock() + RECOVERY_SECONDS
        if recover_attempt(self.folder):
            ended_as = self.describe().ended_as
            log.warning("attempt %d of job %s had no runner any more: %s", self.number, self.job_uid, ended_as)
