"""What can be done with registered models. How a version comes to be is in `registration.py`."""

import logging
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import InUse, NotFound
from vision_api.kit.clock import utc_now
from vision_api.kit.pagination import Page, PageRequest
from vision_api.model_registry import repository
from vision_api.model_registry.repository import Which
from vision_api.model_registry.schemas import ModelVersionRead, ModelVersionUpdate, RegisteredModelRead
from vision_api.model_registry.serializers import read_model, read_version
from vision_api.models import ModelStage, User
from vision_api.projects.access import get_project_for
from vision_api.storage_layout import folder_of

log = logging.getLogger(__name__)

KEPT_AFTER_DELETION = timedelta(hours=1)
"""Whoever has begun to download the weights may finish."""


async def page_models(
    session: AsyncSession, *, user: User, project_id: int, params: PageRequest
) -> Page[RegisteredModelRead]:
    """The newest name first. Raises NotFound."""
    await get_project_for(session, user, project_id)
    return (await repository.page_models(session, project_id, params)).map(read_model)


async def get_model(session: AsyncSession, *, user: User, project_id: int, name: str) -> RegisteredModelRead:
    """One name. Raises NotFound, also for one whose versions are all deleted."""
    await get_project_for(session, user, project_id)
    row = await repository.get_model_row(session, project_id, name)
    if row is None:
        raise NotFound(f"This project has no registered model {name!r}.")
    return read_model(row)


async def page_versions(
    session: AsyncSession, *, user: User, project_id: int, name: str, params: PageRequest
) -> Page[ModelVersionRead]:
    """The newest first. Raises NotFound."""
    await get_model(session, user=user, project_id=project_id, name=name)
    page = await repository.page_versions(session, project_id, name, params)
    return page.map(lambda row: _read(row, project_id, name))


async def get_version(
    session: AsyncSession, *, user: User, project_id: int, name: str, which: Which
) -> ModelVersionRead:
    """The version of that number, the newest, or the one in production. Raises NotFound."""
    await get_project_for(session, user, project_id)
    return _read(await _get_row(session, project_id, name, which), project_id, name)


async def update_version(
    session: AsyncSession, *, user: User, project_id: int, name: str, number: int, changes: ModelVersionUpdate
) -> ModelVersionRead:
    """Another stage, other notes. What was in production before is archived.

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
    """Its number never comes back; the sweep frees its weights.

    Raises NotFound, Forbidden for a viewer, InUse for what is in production.
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
    """Leave to the sweep what is stored of the models of a project that is about to be deleted, and is locked."""
    for uri in await repository.list_uris(session, project_id):
        await repository.add_garbage(session, folder_of(uri), due_at=utc_now() + KEPT_AFTER_DELETION)


async def _get_row(session: AsyncSession, project_id: int, name: str, which: Which) -> Any:
    row = await repository.get_version_row(session, project_id, name, which)
    if row is None:
        missing = f"no version {which}" if isinstance(which, int) else f"no {which} version"
        raise NotFound(f"This project has {missing} of a model {name!r}.")
    return row


def _read(row: Any, project_id: int, name: str) -> ModelVersionRead:
    return read_version(row[0], project_id=project_id, project_name=row[1], name=name)
