"""Requests about training jobs that need several phases: read, resolve settings with no session open, write."""

from collections.abc import Mapping
from typing import Any

from vision_api.catalog.catalog import Catalog
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.errors import InvalidTransition
from vision_api.kit.idempotency import Idempotency
from vision_api.models import JobStatus, TrainingJob, User
from vision_api.training_jobs import access, use_cases
from vision_api.training_jobs.kinds import Action
from vision_api.training_jobs.resolution.resolver import merge_changes, resolve
from vision_api.training_jobs.schemas import InitialCheckpoint, TrainingJobCreate, TrainingJobRead, TrainingJobUpdate
from vision_api.training_jobs.settings import JobSettings
from vision_api.training_jobs.status import ENDED

ALWAYS_CHANGEABLE = frozenset({"name", "notes", "priority"})


async def create(
    database: Database,
    *,
    settings: Settings,
    catalog: Catalog,
    user: User,
    request: TrainingJobCreate,
    idempotency: Idempotency | None = None,
    sent: Mapping[str, Any] | None = None,
) -> TrainingJobRead:
    """Create a job, `pending`: nothing runs. `sent` is the client's body if it was not the whole request.

    Raises Invalid for settings that cannot be trained.
    """
    resolved = await resolve(database, settings=settings, catalog=catalog, user=user, request=request)
    async with database.transaction() as session:
        return await use_cases.create(
            session,
            user=user,
            project_id=request.project_id,
            settings=resolved,
            storage_url=settings.storage_url,
            idempotency=idempotency,
            body=sent or request,
        )


async def update(
    database: Database,
    *,
    settings: Settings,
    catalog: Catalog,
    user: User,
    job_id: int,
    changes: TrainingJobUpdate,
) -> TrainingJobRead:
    """Change a job. Raises InvalidTransition for a setting that cannot be changed once it has been started."""
    is_always_changeable = changes.model_fields_set <= ALWAYS_CHANGEABLE
    before = await _get_source(database, user=user, job_id=job_id, action="changed")
    if not is_always_changeable and before.status != JobStatus.PENDING:
        raise InvalidTransition(
            f"Only {', '.join(sorted(ALWAYS_CHANGEABLE))} can be changed while an experiment is {before.status}: "
            "clone it, or retry it with changes once it has ended."
        )
    if is_always_changeable:
        changed = _change_without_resolving(before, changes)
    else:
        request = merge_changes(before, changes)
        changed = await resolve(database, settings=settings, catalog=catalog, user=user, request=request)
    async with database.transaction() as session:
        return await use_cases.change_settings(session, user=user, before=before, settings=changed)


async def retry(
    database: Database,
    *,
    settings: Settings,
    catalog: Catalog,
    user: User,
    job_id: int,
    changes: TrainingJobUpdate | None = None,
) -> TrainingJobRead:
    """Train again from the beginning, optionally with other settings."""
    before = await _get_source(database, user=user, job_id=job_id, action="retried")
    access.require_status(before, "retried", ENDED)
    request = merge_changes(before, changes)
    resolved = await resolve(database, settings=settings, catalog=catalog, user=user, request=request)
    async with database.transaction() as session:
        return await use_cases.retry(session, user=user, before=before, settings=resolved)


async def clone(
    database: Database,
    *,
    settings: Settings,
    catalog: Catalog,
    user: User,
    job_id: int,
    changes: TrainingJobUpdate | None = None,
    idempotency: Idempotency | None = None,
) -> TrainingJobRead:
    """Create a job with the settings of another one."""
    source = await _get_source(database, user=user, job_id=job_id, action="cloned")
    return await create(
        database,
        settings=settings,
        catalog=catalog,
        user=user,
        request=merge_changes(source, changes),
        idempotency=idempotency,
        sent=_sent_body(changes),
    )


async def fork(
    database: Database,
    *,
    settings: Settings,
    catalog: Catalog,
    user: User,
    job_id: int,
    artifact: str,
    changes: TrainingJobUpdate | None = None,
    idempotency: Idempotency | None = None,
) -> TrainingJobRead:
    """Create a job that starts from a checkpoint of another one."""
    source = await _get_source(database, user=user, job_id=job_id, action="forked")
    weights = InitialCheckpoint(job_id=job_id, artifact=artifact)
    return await create(
        database,
        settings=settings,
        catalog=catalog,
        user=user,
        request=merge_changes(source, changes, initial_weights=weights),
        idempotency=idempotency,
        sent=_sent_body(changes, artifact=artifact),
    )


async def _get_source(database: Database, *, user: User, job_id: int, action: Action) -> TrainingJob:
    """Return the experiment of a request, as it is before. Raises NotFound, Forbidden or InvalidTransition."""
    async with database.snapshot() as session:
        job = await access.get_job_for(session, user, job_id, role="editor")
    access.require_training(job, action)
    return job


def _sent_body(changes: TrainingJobUpdate | None, **others: Any) -> dict[str, Any]:
    return {"changes": changes.model_dump(mode="json", exclude_unset=True) if changes else None, **others}


def _change_without_resolving(job: TrainingJob, changes: TrainingJobUpdate) -> JobSettings:
    """Return the settings with `ALWAYS_CHANGEABLE` ones changed, null as their default. The data set may be gone."""
    defaults = {"name": job.model_name, "notes": "", "priority": 0}
    changed = {name: value or defaults[name] for name, value in changes.model_dump(exclude_unset=True).items()}
    return JobSettings.of(job).model_copy(update=changed)
