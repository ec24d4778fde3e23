"""Stable codes of the reasons why a job waits and why it ended. Texts for people are separate."""

from enum import StrEnum


class WaitReason(StrEnum):
    """Reason why a queued job has not started yet."""

    NO_FREE_SLOT = "no_free_slot"
    SERVICE_UNAVAILABLE = "service_unavailable"
    USER_LIMIT = "user_limit"
    BACKING_OFF = "backing_off"
    PLATFORM_STOPPED = "platform_stopped"


class EndReason(StrEnum):
    """Reason why an attempt ended without finishing."""

    OUT_OF_MEMORY = "out_of_memory"
    NAN_LOSS = "nan_loss"
    BAD_DATA = "bad_data"
    BAD_HYPERPARAMETERS = "bad_hyperparameters"
    WEIGHTS_UNAVAILABLE = "weights_unavailable"
    DISK_FULL = "disk_full"
    KIND_NOT_SUPPORTED = "kind_not_supported"
    EXPORT_NOT_SUPPORTED = "export_not_supported"
    EXPORT_MISMATCH = "export_mismatch"
    TRAINER_KILLED = "trainer_killed"
    SERVICE_LOST = "service_lost"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    STOPPED_BY_USER = "stopped_by_user"
    TIMED_OUT = "timed_out"
    INTERNAL = "internal"


INFRASTRUCTURE_REASONS = frozenset({EndReason.TRAINER_KILLED, EndReason.SERVICE_LOST, EndReason.STORAGE_UNAVAILABLE})
"""Failures of the infrastructure: only these are retried automatically."""
