"""The state machine of a training job: one table, and the one door through which a status changes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.models import JobStatus, TrainingJob
from vision_api.training_jobs.events import append_event
from vision_api.training_jobs.instrumentation import ENDINGS
from vision_contracts import EndReason, WaitReason

logger = logging.getLogger(__name__)

_S = JobStatus

TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = {
    _S.PENDING: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.QUEUED: frozenset({_S.STARTING, _S.PAUSED, _S.FAILED, _S.CANCELLED}),
    _S.STARTING: frozenset({_S.RUNNING, _S.STOPPING, _S.PAUSING, _S.QUEUED, _S.FAILED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.STOPPING, _S.PAUSING, _S.QUEUED, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.STOPPING: frozenset({_S.QUEUED, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.PAUSING: frozenset({_S.STOPPING, _S.QUEUED, _S.PAUSED, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.COMPLETED: frozenset({_S.QUEUED}),
    _S.FAILED: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset({_S.QUEUED}),
}

ENDED = frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELLED})
"""Statuses that a job leaves only by a user's request."""

ACTIVE = frozenset({_S.STARTING, _S.RUNNING, _S.STOPPING, _S.PAUSING})
"""An instance has accepted the current attempt, and its terminal event has not been collected yet."""


class TransitionError(Exception):
    """A transition that the table does not have: a defect of the caller, who must ask `is_allowed` first."""

    def __init__(self, current: JobStatus, target: JobStatus) -> None:
        super().__init__(f"a training job cannot go from {current} to {target}")


@dataclass(frozen=True, slots=True)
class StatusReason:
    """Reason of a job's status: a stable code, and a text for people."""

    code: WaitReason | EndReason | None = None
    message: str | None = None
    proposed_changes: dict[str, Any] | None = None
    """Changes for a retry of a failed job."""


def is_allowed(current: JobStatus, target: JobStatus) -> bool:
    """Return whether a job may go from `current` to `target`."""
    return target in TRANSITIONS[current]


def switch_status(
    session: AsyncSession,
    job: TrainingJob,
    status: JobStatus,
    reason: StatusReason | None = None,
    *,
    time: datetime | None = None,
) -> None:
    """Change the status along the table, with its reason, and append the events. Nothing else writes a status.

    The job's row must be locked. Raises TransitionError for a transition that the table does not have.
    """
    if not is_allowed(job.status, status):
        raise TransitionError(job.status, status)
    moment, reason = time or utc_now(), reason or StatusReason()
    logger.info("job %s: %s → %s %s", job.job_uid, job.status, status, reason.code or "")
    job.status = status
    job.error_message = reason.message if status is _S.FAILED else None
    job.proposed_changes = reason.proposed_changes if status is _S.FAILED else None
    job.completed_at = moment if status in ENDED else None
    explain_status(session, job, reason, time=moment)
    if status in ENDED:
        ENDINGS.labels(job.framework, status, reason.code or "").inc()
        end = {"status": status, "status_reason": reason.code, "proposed_changes": job.proposed_changes}
        append_event(session, job, "end", end, time=moment)


def end_job(
    session: AsyncSession,
    job: TrainingJob,
    reason: EndReason,
    message: str,
    *,
    proposed_changes: dict[str, Any] | None = None,
    time: datetime | None = None,
) -> None:
    """End a job that has not finished, with the status that the reason implies. Otherwise as `switch_status`."""
    switch_status(session, job, JobStatus(reason.status), StatusReason(reason, message, proposed_changes), time=time)


def explain_status(
    session: AsyncSession, job: TrainingJob, reason: StatusReason, *, time: datetime | None = None
) -> None:
    """Store the reason of the current status and append an event. The job's row must be locked."""
    job.status_reason = reason.code
    job.status_message = reason.message
    data = {"status": job.status, "status_reason": reason.code, "status_message": reason.message}
    append_event(session, job, "status", data, time=time)


def next_step_advice(job: TrainingJob) -> str:
    """Return a sentence that names the request by which a user can continue an ended job."""
    if job.checkpoint_uri is not None:
        return (
            f"Resume it to continue from its checkpoint at step {job.checkpoint_step}, or retry it from the beginning."
        )
    return "It has left no checkpoint: retry it to train from the beginning."
