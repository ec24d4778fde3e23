"""Read, change and delete registered models, and describe models. New versions: see `registration.py`."""

import logging
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore
from vision_api.catalog.catalog import Catalog
from vision_api.db.session import Database
from vision_api.errors import InUse, NotFound
from vision_api.kit.clock import utc_now
from vision_api.kit.pagination import Page, PageRequest
from vision_api.model_registry import repository
from vision_api.model_registry.hub_card import render
from vision_api.model_registry.lineage_sources import build_lineage, find_lineage_source
from vision_api.model_registry.repository import VersionSelector
from vision_api.model_registry.schemas import ModelVersionRead, ModelVersionUpdate, RegisteredModelRead
from vision_api.model_registry.serializers import read_model, read_version
from vision_api.models import ModelStage, User
from vision_api.projects.access import get_project_for
from vision_api.storage_layout import folder_of
from vision_api.training_jobs.access import get_training_for

log = logging.getLogger(__name__)

KEPT_AFTER_DELETION = timedelta(hours=1)
"""Time in which a download that has begun may finish."""


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


async def render_job_card(
    database: Database, store: ObjectStore, catalog: Catalog, *, user: User, job_id: int, artifact: str
) -> str:
    """Render the card of an experiment's artifact. Raises NotFound, also for an artifact that does not exist yet."""
    async with database.snapshot() as session:
        job = await get_training_for(session, user, job_id, action="described")
        source = await find_lineage_source(session, job, artifact)
    if source is None:
        raise NotFound(f"This experiment has no artifact {artifact!r}: there is no model to describe yet.")
    return render(await build_lineage(store, catalog, source), title=job.name, notes=job.notes)


async def _get_row(session: AsyncSession, project_id: int, name: str, which: VersionSelector) -> Any:
    row = await repository.get_version_row(session, project_id, name, which)
    if row is None:
        missing = f"no version {which}" if isinstance(which, int) else f"no {which} version"
        raise NotFound(f"This project has {missing} of a model {name!r}.")
    return row


def _read(row: Any, project_id: int, name: str) -> ModelVersionRead:
    return read_version(row[0], project_id=project_id, project_name=row[1], name=name)
