"""How a training ends early.

Exception
├── TrainingError    the user can do something about it
└── Stopped          it was asked to stop, and did
"""

from typing import Any

from vision_contracts import EndReason


class TrainingError(Exception):
    """An error with a reason code and a message that says what to do.

    `proposed_changes` are settings with which a retry may go well, as its `changes`.
    """

    def __init__(self, reason: EndReason, message: str, *, proposed_changes: dict[str, Any] | None = None) -> None:
        self.reason = reason
        self.proposed_changes = proposed_changes
        super().__init__(message)


class Stopped(Exception):
    """Raised by a trainer that has seen `stop_requested()`."""
