"""Stable codes of the reasons why a job waits and why it ended, and all that follows from a reason."""

from enum import StrEnum
from typing import Literal, Self


class WaitReason(StrEnum):
    """Reason why a queued job has not started yet."""

    NO_FREE_SLOT = "no_free_slot"
    SERVICE_UNAVAILABLE = "service_unavailable"
    USER_LIMIT = "user_limit"
    BACKING_OFF = "backing_off"
    PLATFORM_STOPPED = "platform_stopped"
    STORAGE_FULL = "storage_full"


class EndReason(StrEnum):
    """Reason why an attempt ended without finishing: a code, and what follows from it."""

    status: Literal["failed", "cancelled"]
    """Status of the job that ends with it."""
    is_retried: bool
    """True if another attempt is made automatically, within bounds: the infrastructure failed, not the user."""
    advice: str
    """Sentence that says what a user can do, for a message whose cause allows no better advice."""

    def __new__(cls, code: str, status: Literal["failed", "cancelled"], is_retried: bool, advice: str) -> Self:
        """Make a member from a row of the table."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.status, member.is_retried, member.advice = status, is_retried, advice
        return member

    OUT_OF_MEMORY = "out_of_memory", "failed", False, "Use a smaller image size or choose a smaller model."
    NAN_LOSS = "nan_loss", "failed", False, "Lower the learning rate."
    BAD_DATA = "bad_data", "failed", False, "Choose another data set, or upload it again."
    BAD_HYPERPARAMETERS = "bad_hyperparameters", "failed", False, "Fix that and retry."
    WEIGHTS_UNAVAILABLE = (
        "weights_unavailable", "failed", False, "Retry from the beginning, or choose other initial weights.",
    )  # fmt: skip
    DISK_FULL = "disk_full", "failed", False, "Free space, then retry."
    KIND_NOT_SUPPORTED = "kind_not_supported", "failed", False, "Choose another framework, or update its service."
    EXPORT_NOT_SUPPORTED = "export_not_supported", "failed", False, "Choose another format."
    EXPORT_MISMATCH = "export_mismatch", "failed", False, "Choose another format, and report it."
    TRAINER_KILLED = "trainer_killed", "failed", True, "Look into its log for what ends it."
    SERVICE_LOST = "service_lost", "failed", True, "Look into the log of its training service."
    STORAGE_UNAVAILABLE = "storage_unavailable", "failed", True, "Check the object storage, then retry."
    STOPPED_BY_USER = "stopped_by_user", "cancelled", False, "Resume it from its checkpoint, or retry it."
    TIMED_OUT = "timed_out", "cancelled", False, "Resume it from its checkpoint, or retry it with a longer limit."
    INTERNAL = "internal", "failed", False, "Retry it, and report it with its log if it happens again."

    @property
    def is_unexplained(self) -> bool:
        """Return whether the cause is unknown: a defect, or a reason that only a newer version knows."""
        return self is EndReason.INTERNAL
