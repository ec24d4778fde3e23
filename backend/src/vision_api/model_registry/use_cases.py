"""Use cases of registered models: register, read, change and delete versions."""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore
from vision_api.errors import Conflict, InUse, Invalid, NotFound
from vision_api.kit.clock import utc_now
from vision_api.kit.pagination import Page, PageRequest
from vision_api.model_registry import repository
from vision_api.model_registry.lineage import Lineage
from vision_api.model_registry.lineage_sources import LineageSource, find_lineage_source
from vision_api.model_registry.repository import VersionSelector
from vision_api.model_registry.schemas import ModelRegister, ModelVersionRead, ModelVersionUpdate, RegisteredModelRead
from vision_api.model_registry.serializers import read_model, read_version
from vision_api.models import JobStatus, ModelStage, ModelVersion, TrainingJob, User
from vision_api.projects.access import get_project_for
from vision_api.projects.repository import lock_project
from vision_api.storage_layout import folder_of, model_version_folder, model_weights_key
from vision_api.training_jobs import access
from vision_api.training_jobs.status import ENDED
from vision_contracts import ArtifactKind

log = logging.getLogger(__name__)

KEPT_AFTER_DELETION = timedelta(hours=1)
"""Time in which a download that has begun may finish."""
COPY_GRACE = timedelta(hours=6)
"""Time that a copy may take before the sweep deletes it as left over."""
WEIGHTS_GONE = (
    "The weights are no longer in storage: the experiment was continued or deleted at the same moment. Retry."
)


async def page_models(
    session: AsyncSession, *, user: User, project_id: int, params: PageRequest
) -> Page[RegisteredModelRead]:
    """Return a page of registered models, the newest name first. Raises NotFound."""
    await get_project_for(session, user, project_id)
    return (await repository.page_models(session, project_id, params)).map(read_model)


async def get_model(session: AsyncSession, *, user: User, project_id: int, name: str) -> RegisteredModelRead:
    """Return one registered model. Raises NotFound, also if all its versions are deleted."""
    await get_project_for(session, user, project_id)
    row = await repository.get_model_row(session, project_id, name)
    if row is None:
        raise NotFound(f"This project has no registered model {name!r}.")
    return read_model(row)


async def page_versions(
    session: AsyncSession, *, user: User, project_id: int, name: str, params: PageRequest
) -> Page[ModelVersionRead]:
    """Return a page of versions, the newest first. Raises NotFound."""
    await get_model(session, user=user, project_id=project_id, name=name)
    page = await repository.page_versions(session, project_id, name, params)
    return page.map(lambda row: _read(row, project_id, name))


async def get_version(
    session: AsyncSession, *, user: User, project_id: int, name: str, which: VersionSelector
) -> ModelVersionRead:
    """Return the version of a number, the newest, or the one in production. Raises NotFound."""
    await get_project_for(session, user, project_id)
    return _read(await _get_row(session, project_id, name, which), project_id, name)


async def update_version(
    session: AsyncSession, *, user: User, project_id: int, name: str, number: int, changes: ModelVersionUpdate
) -> ModelVersionRead:
    """Change the stage or the notes. A version that was in production before is archived.

    Raises NotFound, Forbidden for a viewer.
    """
    await get_project_for(session, user, project_id, role="editor")
    model = await repository.lock_model(session, project_id, name)
    row = await _get_row(session, project_id, name, number)
    version = row[0]
    is_promoted = changes.stage is ModelStage.PRODUCTION and version.stage != ModelStage.PRODUCTION
    if model is not None and is_promoted:
        await repository.archive_production(session, model.id)
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(version, field, value)
    await session.flush()
    log.info("user %s changed %s/%s:%d: %s", user.id, project_id, name, number, version.stage)
    return _read(row, project_id, name)


async def delete_version(session: AsyncSession, *, user: User, project_id: int, name: str, number: int) -> None:
    """Delete a version. Its number is not used again; the sweep deletes its weights.

    Raises NotFound, Forbidden for a viewer, InUse for the version in production.
    """
    await get_project_for(session, user, project_id, role="editor")
    await repository.lock_model(session, project_id, name)
    version = (await _get_row(session, project_id, name, number))[0]
    if version.stage == ModelStage.PRODUCTION:
        raise InUse(f"{name}:{number} is in production. Move it to another stage first.")
    await repository.add_garbage(session, folder_of(version.uri), due_at=utc_now() + KEPT_AFTER_DELETION)
    await session.delete(version)
    log.info("user %s deleted %s/%s:%d", user.id, project_id, name, number)


async def discard_weights_of(session: AsyncSession, *, project_id: int) -> None:
    """Mark all weights of a project for the sweep. The project is locked, and about to be deleted."""
    for uri in await repository.list_uris(session, project_id):
        await repository.add_garbage(session, folder_of(uri), due_at=utc_now() + KEPT_AFTER_DELETION)


async def get_described_source(session: AsyncSession, *, user: User, job_id: int, artifact: str) -> LineageSource:
    """Return the rows that describe an experiment's artifact. Raises NotFound, also if there is none yet."""
    job = await access.get_training_for(session, user, job_id, action="described")
    source = await find_lineage_source(session, job, artifact)
    if source is None:
        raise NotFound(f"This experiment has no artifact {artifact!r}: there is no model to describe yet.")
    return source


async def get_registered_source(
    session: AsyncSession, *, user: User, project_id: int, request: ModelRegister
) -> LineageSource:
    """Return the rows that describe an artifact that is to be registered.

    Raises NotFound, Forbidden for a viewer, Invalid for an artifact that is no result of this project, Conflict for a
    result that may still change.
    """
    await get_project_for(session, user, project_id, role="editor")
    job = await _get_job(session, user, project_id, request.job_id)
    source = await find_lineage_source(session, job, request.artifact)
    if source is None or source.artifact.kind not in (ArtifactKind.CHECKPOINT, ArtifactKind.EXPORT):
        raise Invalid(f"Experiment {job.id} has no checkpoint or export {request.artifact!r}.", field="artifact")
    if job.status not in ENDED and job.status != JobStatus.PAUSED:
        raise Conflict(
            f"Experiment {job.id} is {job.status}: its best checkpoint may change. Register it once it ends."
        )
    if source.artifact.kind == ArtifactKind.CHECKPOINT and job.checkpoint_uri is None:
        raise Conflict(
            f"{source.artifact.name} is of an earlier training of experiment {job.id}, whose settings are not kept: "
            "it was retried since."
        )
    return source


async def _get_job(session: AsyncSession, user: User, project_id: int, job_id: int) -> TrainingJob:
    missing = Invalid(f"There is no experiment {job_id} in this project.", field="job_id")
    try:
        job = await access.get_training_for(session, user, job_id, action="registered")
    except NotFound as error:
        raise missing from error
    if job.project_id != project_id:
        raise missing
    return job


async def reserve_weights(session: AsyncSession, *, uri: str) -> None:
    """Mark the folder of weights that are about to be copied for the sweep, until a version names it."""
    await repository.add_garbage(session, uri, due_at=utc_now() + COPY_GRACE)


async def add_version(
    session: AsyncSession,
    *,
    store: ObjectStore,
    user: User,
    project_id: int,
    request: ModelRegister,
    uid: UUID,
    lineage: Lineage,
) -> ModelVersionRead:
    """Insert a version whose weights are copied.

    The project's row is locked first, as by its deletion, then the job's, against the sweep. Raises as
    `get_registered_source`, and Conflict if the sweep may have deleted the copy.
    """
    await lock_project(session, project_id)
    project = await get_project_for(session, user, project_id, role="editor")
    job = await access.lock_job_for(session, user, request.job_id)
    if not await repository.keep_garbage(session, model_version_folder(store, uid)):
        raise Conflict(WEIGHTS_GONE)
    model = await repository.lock_or_add_model(session, project_id, request.name)
    model.latest_version += 1
    if request.stage is ModelStage.PRODUCTION:
        await repository.archive_production(session, model.id)
    version = ModelVersion(
        uid=uid,
        model_id=model.id,
        number=model.latest_version,
        stage=request.stage,
        notes=request.notes,
        created_by_id=user.id,
        job_id=job.id,
        artifact=lineage.file.artifact,
        uri=store.uri(model_weights_key(uid)),
        size_bytes=lineage.file.size_bytes,
        sha256=lineage.file.sha256,
        content_type="application/octet-stream",
        lineage=lineage.model_dump(mode="json"),
    )
    session.add(version)
    await session.flush()
    log.info("user %s registered job %s as %s/%s:%d", user.id, job.id, project_id, model.name, version.number)
    return read_version(version, project_id=project_id, project_name=project.name, name=model.name)


async def _get_row(session: AsyncSession, project_id: int, name: str, which: VersionSelector) -> Any:
    row = await repository.get_version_row(session, project_id, name, which)
    if row is None:
        missing = f"no version {which}" if isinstance(which, int) else f"no {which} version"
        raise NotFound(f"This project has {missing} of a model {name!r}.")
    return row


def _read(row: Any, project_id: int, name: str) -> ModelVersionRead:
    return read_version(row[0], project_id=project_id, project_name=row[1], name=name)
