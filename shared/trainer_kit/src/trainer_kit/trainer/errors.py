"""Exceptions that end a training or an operation early.

Exception
├── TrainingError    an error that the user can fix
└── Stopped          it has obeyed a request to stop or to pause
"""

from typing import Any

from vision_contracts import EndReason


class TrainingError(Exception):
    """An error with a reason code and a message that says what to do.

    `proposed_changes` are settings with which a retry may succeed, in the form of a retry's `changes`.
    """

    def __init__(self, reason: EndReason, message: str, *, proposed_changes: dict[str, Any] | None = None) -> None:
        self.reason = reason
        self.proposed_changes = proposed_changes
        super().__init__(message)


class Stopped(Exception):
    """Raised by an entry point after `stop_requested()` was true."""
