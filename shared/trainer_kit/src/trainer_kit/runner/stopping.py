"""Orders to stop an attempt, and the escalation of signals that enforces them."""

import signal
from collections.abc import Callable

from trainer_kit.attempt_folder import AttemptFolder, StopOrder
from vision_contracts import EndReason

TERM_SECONDS = 5.0
"""Time that a trainer has to end after SIGTERM."""


class StopMonitor:
    """Reads the order to stop, and gives one itself once the attempt has exceeded its time limit."""

    def __init__(self, folder: AttemptFolder, timeout_seconds: float | None, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._deadline = None if timeout_seconds is None else clock() + timeout_seconds

    def order(self) -> StopOrder | None:
        """Return the order in force, if any."""
        standing = self._folder.read_stop()
        if standing is not None or self._deadline is None or self._clock() < self._deadline:
            return standing
        return self._folder.order_stop(StopOrder(attempt=self._folder.attempt, mode="stop", reason=EndReason.TIMED_OUT))


class Escalation:
    """Escalation from waiting to SIGTERM to SIGKILL, within `grace_seconds` plus TERM_SECONDS."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen_at: float | None = None
        self._terminated_at: float | None = None

    @property
    def has_used_force(self) -> bool:
        """True once a signal was due: later errors of the trainer are only its consequence."""
        return self._terminated_at is not None

    def due_signal(self, order: StopOrder) -> signal.Signals | None:
        """Return the signal to send now; none at first, since the trainer reads the order itself."""
        now = self._clock()
        self._seen_at = self._seen_at if self._seen_at is not None else now
        if order.mode == "kill":
            self._terminated_at = self._terminated_at if self._terminated_at is not None else now
            return signal.SIGKILL
        if self._terminated_at is None:
            if now < self._seen_at + order.grace_seconds:
                return None
            self._terminated_at = now
            return signal.SIGTERM
        return signal.SIGKILL if now >= self._terminated_at + TERM_SECONDS else None
