"""Why a supervisor refuses.

SupervisorError    carries a stable `code`
├── NoFreeSlot
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
    """Every slot trains."""

    code = "no_free_slot"


class AttemptSuperseded(SupervisorError):
    """A newer attempt of the same job is held."""

    code = "attempt_superseded"


class Draining(SupervisorError):
    """The service is about to end."""

    code = "draining"


class StillRunning(SupervisorError):
    """What runs cannot be deleted."""

    code = "in_use"


class UnknownAttempt(SupervisorError):
    """Nothing of that name is held."""

    code = "not_found"
