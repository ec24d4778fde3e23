"""Creation, change and deletion of training jobs. Starting and stopping is in `lifecycle.py`."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import Conflict, InvalidTransition, NotFound
from vision_api.kit.clock import utc_now
from vision_api.kit.idempotency import Idempotency
from vision_api.kit.pagination import Page, PageRequest
from vision_api.models import JobStatus, TrainingJob, User
from vision_api.projects.access import MISSING as PROJECT_MISSING
from vision_api.projects.repository import add_to_experiment_count
from vision_api.storage_layout import job_uri
from vision_api.training_jobs import access, repository
from vision_api.training_jobs.events import announce_request
from vision_api.training_jobs.kinds import rules_of
from vision_api.training_jobs.resolution.resolver import JobResolver, merge_changes
from vision_api.training_jobs.schemas import InitialCheckpoint, TrainingJobCreate, TrainingJobRead, TrainingJobUpdate
from vision_api.training_jobs.serializers import read_job
from vision_api.training_jobs.settings import JobSettings

ALWAYS_CHANGEABLE = frozenset({"name", "notes", "priority"})


async def create(
    resolver: JobResolver,
    *,
    user: User,
    request: TrainingJobCreate,
    idempotency: Idempotency | None = None,
    sent: Mapping[str, Any] | None = None,
) -> TrainingJobRead:
    """Create a job, `pending`: nothing runs. `sent` is the client's body if it was not the whole request.

    Raises Invalid for settings that cannot be trained.
    """
    settings = await resolver.resolve(user=user, request=request)
    async with resolver.database.transaction() as session:

        async def add() -> TrainingJobRead:
            if not await add_to_experiment_count(session, request.project_id, 1):
                raise NotFound(PROJECT_MISSING)
            now = utc_now()
            uid = uuid4()
            job = TrainingJob(
                job_uid=uid,
                output_uri=job_uri(resolver.settings.storage_url, uid),
                created_by_id=user.id,
                created_at=now,
                updated_at=now,
                status=JobStatus.PENDING,
                project_id=request.project_id,
                **settings.columns(),
            )
            session.add(job)
            await session.flush()
            return read_job(job, None)

        if idempotency is None:
            return await add()
        return await idempotency.once(
            session, user_id=user.id, body=sent or request, result_type=TrainingJobRead, create=add
        )


async def get(session: AsyncSession, *, user: User, job_id: int) -> TrainingJobRead:
    """Return one job. Raises NotFound."""
    return await read_with_position(session, await access.get_job_for(session, user, job_id))


async def page(session: AsyncSession, *, query: Select[TrainingJob], params: PageRequest) -> Page[TrainingJobRead]:
    """Return one page of `repository.visible_jobs`, newest first."""
    found = await repository.page_jobs(session, query, params)
    positions = await repository.queue_positions(session, found.items)
    return found.map(lambda job: read_job(job, positions.get(job.id)))


async def update(resolver: JobResolver, *, user: User, job_id: int, changes: TrainingJobUpdate) -> TrainingJobRead:
    """Change a job. Raises InvalidTransition for a setting that cannot be changed once it has been started."""
    is_always_changeable = changes.model_fields_set <= ALWAYS_CHANGEABLE
    async with resolver.database.snapshot() as session:
        before = await access.get_job_for(session, user, job_id, role="editor")
    access.require_training(before, "changed")
    if not is_always_changeable and before.status != JobStatus.PENDING:
        raise InvalidTransition(
            f"Only {', '.join(sorted(ALWAYS_CHANGEABLE))} can be changed while an experiment is {before.status}: "
            "clone it, or retry it with changes once it has ended."
        )
    if is_always_changeable:
        settings = _change_without_resolving(before, changes)
    else:
        settings = await resolver.resolve(user=user, request=merge_changes(before, changes))
    async with resolver.database.transaction() as session:
        job = await lock_unchanged(session, user, before)
        settings.write_to(job)
        announce_request(session, job)
        return await read_with_position(session, job)


async def clone(
    resolver: JobResolver,
    *,
    user: User,
    job_id: int,
    changes: TrainingJobUpdate | None = None,
    idempotency: Idempotency | None = None,
) -> TrainingJobRead:
    """Create a job with the settings of another one."""
    async with resolver.database.snapshot() as session:
        source = await access.get_job_for(session, user, job_id, role="editor")
    access.require_training(source, "cloned")
    request = merge_changes(source, changes)
    return await create(resolver, user=user, request=request, idempotency=idempotency, sent=_sent_body(changes))


async def fork(
    resolver: JobResolver,
    *,
    user: User,
    job_id: int,
    artifact: str,
    changes: TrainingJobUpdate | None = None,
    idempotency: Idempotency | None = None,
) -> TrainingJobRead:
    """Create a job that starts from a checkpoint of another one."""
    async with resolver.database.snapshot() as session:
        source = await access.get_job_for(session, user, job_id, role="editor")
    access.require_training(source, "forked")
    request = merge_changes(source, changes, initial_weights=InitialCheckpoint(job_id=job_id, artifact=artifact))
    sent = _sent_body(changes, artifact=artifact)
    return await create(resolver, user=user, request=request, idempotency=idempotency, sent=sent)


async def delete(session: AsyncSession, *, user: User, job_id: int) -> None:
    """Mark a job as deleted: it disappears at once, and the loops stop it and delete its rows and files."""
    found = await access.get_job_for(session, user, job_id, role="editor")
    access.require_training(found, "deleted")
    if found.project_id is not None and rules_of(found).is_experiment:
        await add_to_experiment_count(session, found.project_id, -1)
    job = await access.lock_job_for(session, user, job_id)  # raises in the second of two deletions: no count is lost
    job.deleted_at = utc_now()
    await repository.delete_operations(session, job)
    announce_request(session, job)


async def read_with_position(session: AsyncSession, job: TrainingJob) -> TrainingJobRead:
    """Return a job as clients see it, with the changes of the open transaction."""
    await session.flush()
    positions = await repository.queue_positions(session, [job])
    return read_job(job, positions.get(job.id))


async def lock_unchanged(session: AsyncSession, user: User, before: TrainingJob) -> TrainingJob:
    """Lock a job that was read before. Raises Conflict if its settings have changed since."""
    job = await access.lock_job_for(session, user, before.id)
    if JobSettings.of(job) != JobSettings.of(before) or (job.status, job.attempt) != (before.status, before.attempt):
        raise Conflict("This experiment was changed at the same time. Load it again and retry.")
    return job


def _sent_body(changes: TrainingJobUpdate | None, **others: Any) -> dict[str, Any]:
    return {"changes": changes.model_dump(mode="json", exclude_unset=True) if changes else None, **others}


def _change_without_resolving(job: TrainingJob, changes: TrainingJobUpdate) -> JobSettings:
    """Return the settings with `ALWAYS_CHANGEABLE` ones changed, null as their default. The data set may be gone."""
    defaults = {"name": job.model_name, "notes": "", "priority": 0}
    changed = {name: value or defaults[name] for name, value in changes.model_dump(exclude_unset=True).items()}
    return JobSettings.of(job).model_copy(update=changed)
