"""Access to jobs: a user may see and change a job according to the role in its project."""

from collections.abc import Collection, Sequence
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import InvalidTransition, NotFound, QuotaExceeded
from vision_api.models import JobStatus, TrainingJob, User
from vision_api.projects.access import get_project_for
from vision_api.training_jobs import repository
from vision_api.training_jobs.kinds import Action, rules_of

Role = Literal["viewer", "editor", "owner"]
MISSING = "There is no such experiment, or you are not a member of its project."
MOST_QUEUED = 1000
"""Number of a user's jobs that wait for a slot. Requests that come at once may make it a few more."""


async def get_job_for(session: AsyncSession, user: User, job_id: int, role: Role = "viewer") -> TrainingJob:
    """Return a job in whose project `user` has at least `role`. Raises NotFound or Forbidden."""
    return await _check(session, user, await repository.get_job(session, job_id), role)


async def get_training_for(session: AsyncSession, user: User, job_id: int, *, action: Action) -> TrainingJob:
    """Return a visible experiment for an `action` such as "compared". Raises as `get_job_for`, or InvalidTransition."""
    job = await get_job_for(session, user, job_id)
    require_training(job, action)
    return job


async def list_trainings_for(
    session: AsyncSession, user: User, job_ids: Sequence[int], *, action: Action
) -> list[TrainingJob]:
    """Return several experiments in the order of `job_ids`, with one statement. Raises as `get_training_for`."""
    found = {job.id: job for job in await repository.list_jobs(session, user, job_ids)}
    for job_id in job_ids:
        if job_id not in found:
            raise NotFound(MISSING)
        require_training(found[job_id], action)
    return [found[job_id] for job_id in job_ids]


async def lock_job_for(session: AsyncSession, user: User, job_id: int, role: Role = "editor") -> TrainingJob:
    """Return a job and lock its row until the transaction ends. Raises NotFound or Forbidden."""
    return await _check(session, user, await repository.get_job_for_update(session, job_id), role)


def require_training(job: TrainingJob, action: Action) -> None:
    """Require an experiment, or an operation whose kind allows the action. Raises InvalidTransition otherwise."""
    if action not in rules_of(job).actions:
        raise InvalidTransition(
            f"This is not an experiment but its {job.kind}, which cannot be {action}: request a new one instead."
        )


def require_status(job: TrainingJob, action: Action, statuses: Collection[JobStatus]) -> None:
    """Require an experiment in one of `statuses` for an `action` such as "resumed". Raises InvalidTransition."""
    require_training(job, action)
    if job.status not in statuses:
        allowed = " or ".join(sorted(statuses))
        raise InvalidTransition(f"This experiment is {job.status}: only a {allowed} one can be {action}.")


async def require_queue_room(session: AsyncSession, *, user_id: int) -> None:
    """Raise QuotaExceeded if too many jobs of a user wait for a slot."""
    used = await repository.count_queued(session, user_id=user_id)
    if used >= MOST_QUEUED:
        raise QuotaExceeded(
            f"{used} experiments and operations of this user wait already. Stop some of them, or start this one later.",
            limit=MOST_QUEUED,
            used=used,
        )


async def _check(session: AsyncSession, user: User, job: TrainingJob | None, role: Role) -> TrainingJob:
    if job is None or job.project_id is None:
        raise NotFound(MISSING)
    try:
        await get_project_for(session, user, job.project_id, role=role)
    except NotFound as error:
        raise NotFound(MISSING) from error
    return job
