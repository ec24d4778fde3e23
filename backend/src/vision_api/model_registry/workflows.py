"""Workflows of registered models: register an artifact as a version, and describe one that is not registered.

The weights are copied first, into a folder that is garbage until a row names it. A process that is killed in between
therefore leaves nothing for good, and no transaction waits for the network.
"""

from uuid import UUID, uuid4

import anyio.to_thread

from data_kit import ObjectNotFound, ObjectStore
from vision_api.catalog.catalog import Catalog
from vision_api.db.session import Database
from vision_api.errors import Conflict
from vision_api.kit.idempotency import Idempotency
from vision_api.model_registry import use_cases
from vision_api.model_registry.hub_card import render
from vision_api.model_registry.lineage_sources import LineageSource, build_lineage
from vision_api.model_registry.schemas import ModelRegister, ModelVersionRead
from vision_api.model_registry.use_cases import WEIGHTS_GONE
from vision_api.models import User
from vision_api.storage_layout import model_version_folder, model_weights_key


async def register(
    database: Database,
    *,
    store: ObjectStore,
    catalog: Catalog,
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
        source = await use_cases.get_registered_source(session, user=user, project_id=project_id, request=request)
    lineage = await build_lineage(store, catalog, source)
    uid = uuid4()
    await _copy_weights(database, store, source, uid)
    async with database.transaction() as session:

        async def add() -> ModelVersionRead:
            return await use_cases.add_version(
                session, store=store, user=user, project_id=project_id, request=request, uid=uid, lineage=lineage
            )

        return await idempotency.once(
            session,
            user_id=user.id,
            body=request,
            result_type=ModelVersionRead,
            create=add,
            find=lambda made: use_cases.get_version(
                session, user=user, project_id=project_id, name=made.name, which=made.version
            ),
        )


async def _copy_weights(database: Database, store: ObjectStore, source: LineageSource, uid: UUID) -> None:
    async with database.transaction() as session:
        await use_cases.reserve_weights(session, uri=model_version_folder(store, uid))
    try:
        await anyio.to_thread.run_sync(store.copy, source.artifact.uri, model_weights_key(uid))
    except ObjectNotFound as error:
        raise Conflict(WEIGHTS_GONE) from error


async def render_job_card(
    database: Database, *, store: ObjectStore, catalog: Catalog, user: User, job_id: int, artifact: str
) -> str:
    """Render the card of an experiment's artifact. Raises NotFound, also for an artifact that does not exist yet."""
    async with database.snapshot() as session:
        source = await use_cases.get_described_source(session, user=user, job_id=job_id, artifact=artifact)
    return render(await build_lineage(store, catalog, source), title=source.job.name, notes=source.job.notes)
