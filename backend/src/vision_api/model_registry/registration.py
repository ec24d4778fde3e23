"""Registration of an artifact as a model version.

The weights are copied first, into a folder that is garbage until a row names it. A process that is killed in between
therefore leaves nothing for good, and no transaction waits for the network.
"""

import logging
from datetime import timedelta
from uuid import UUID, uuid4

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectNotFound, ObjectStore
from vision_api.catalog.catalog import Catalog
from vision_api.db.session import Database
from vision_api.errors import Conflict, Invalid, NotFound
from vision_api.kit.clock import utc_now
from vision_api.kit.idempotency import Idempotency
from vision_api.model_registry import repository
from vision_api.model_registry.lineage import Lineage
from vision_api.model_registry.lineage_sources import LineageSource, build_lineage, find_lineage_source
from vision_api.model_registry.schemas import ModelRegister, ModelVersionRead
from vision_api.model_registry.serializers import read_version
from vision_api.models import JobStatus, ModelStage, ModelVersion, TrainingJob, User
from vision_api.projects.access import get_project_for
from vision_api.projects.repository import lock_project
from vision_api.storage_layout import model_version_folder, model_weights_key
from vision_api.training_jobs import access
from vision_api.training_jobs.status import ENDED
from vision_contracts import ArtifactKind

log = logging.getLogger(__name__)

COPY_GRACE = timedelta(hours=6)
"""Time that a copy may take before the sweep deletes it as left over."""
WEIGHTS_GONE = (
    "The weights are no longer in storage: the experiment was continued or deleted at the same moment. Retry."
)


async def register(
    database: Database,
    store: ObjectStore,
    catalog: Catalog,
    *,
    user: User,
    project_id: int,
    request: ModelRegister,
    idempotency: Idempotency,
) -> ModelVersionRead:
    """Register an artifact as the next version of a name.

    Raises NotFound, Forbidden for a viewer, Invalid for an artifact that is no result of this project, Conflict for a
    result that may still change.
    """
    async with database.snapshot() as session:
        await get_project_for(session, user, project_id, role="editor")
        source = await _get_source(session, user, project_id, request)
    lineage = await build_lineage(store, catalog, source)
    uid = uuid4()
    await _copy_weights(database, store, source, uid)
    async with database.transaction() as session:

        async def add() -> ModelVersionRead:
            return await _add_version(
                session, store, user=user, project_id=project_id, request=request, uid=uid, lineage=lineage
            )

        return await idempotency.once(session, user_id=user.id, body=request, result_type=ModelVersionRead, create=add)


async def _get_source(session: AsyncSession, user: User, project_id: int, request: ModelRegister) -> LineageSource:
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


async def _copy_weights(database: Database, store: ObjectStore, source: LineageSource, uid: UUID) -> None:
    async with database.transaction() as session:
        await repository.add_garbage(session, model_version_folder(store, uid), due_at=utc_now() + COPY_GRACE)
    try:
        await anyio.to_thread.run_sync(store.copy, source.artifact.uri, model_weights_key(uid))
    except ObjectNotFound as error:
        raise Conflict(WEIGHTS_GONE) from error


async def _add_version(
    session: AsyncSession,
    store: ObjectStore,
    *,
    user: User,
    project_id: int,
    request: ModelRegister,
    uid: UUID,
    lineage: Lineage,
) -> ModelVersionRead:
    """Insert the version. The project's row is locked first, as by its deletion, then the job's, against the sweep."""
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
