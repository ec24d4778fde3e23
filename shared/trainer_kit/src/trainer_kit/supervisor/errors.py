"""Errors of a supervisor that refuses a request.

SupervisorError    carries a stable `code`
├── NoFreeSlot
├── StorageFull
├── AttemptSuperseded
├── Draining
├── StillRunning
└── UnknownAttempt
"""

from typing import ClassVar


class SupervisorError(Exception):
    """A refusal. The message says what to do."""

    code: ClassVar[str]


class NoFreeSlot(SupervisorError):
    """All slots are taken."""

    code = "no_free_slot"


class StorageFull(SupervisorError):
    """The disk has no room for another attempt."""

    code = "storage_full"


class AttemptSuperseded(SupervisorError):
    """A newer attempt of the same job is held."""

    code = "attempt_superseded"


class Draining(SupervisorError):
    """The service is about to end."""

    code = "draining"


class StillRunning(SupervisorError):
    """A running attempt cannot be deleted."""

    code = "in_use"


class UnknownAttempt(SupervisorError):
    """There is no such attempt or event."""

    code = "not_found"
