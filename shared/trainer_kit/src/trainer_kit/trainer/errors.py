"""How a training ends early.

Exception
├── TrainingError    the user can do something about it
└── Stopped          it was asked to stop, and did
"""

from vision_contracts import EndReason


class TrainingError(Exception):
    """An error with a reason code and a message that says what to do."""

    def __init__(self, reason: EndReason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Stopped(Exception):
    """Raised by a trainer that has seen `stop_requested()`."""
