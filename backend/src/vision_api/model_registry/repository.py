"""Statements about registered models and their versions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import Select, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.kit.pagination import Page, PageRequest, paginate
from vision_api.models import GarbageObject, ModelStage, ModelVersion, Project, RegisteredModel

VersionSelector = int | Literal["latest", "production"]

CLOCK_SKEW = timedelta(minutes=1)
"""Largest difference between the clocks of two backends."""


def _named(project_id: int) -> Select[Any]:
    """Select rows of model, version_count, latest_version, production_version and updated_at of names with versions."""
    is_in_production = ModelVersion.stage == ModelStage.PRODUCTION
    versions = (
        select(
            ModelVersion.model_id,
            func.count().label("version_count"),
            func.max(ModelVersion.number).label("latest_version"),
            func.max(case((is_in_production, ModelVersion.number))).label("production_version"),
            func.max(ModelVersion.updated_at).label("updated_at"),
        )
        .join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
        .where(RegisteredModel.project_id == project_id)
        .group_by(ModelVersion.model_id)
        .subquery()
    )
    columns = (versions.c[name] for name in ("version_count", "latest_version", "production_version", "updated_at"))
    named = select(RegisteredModel, *columns).join(versions, versions.c.model_id == RegisteredModel.id)
    return cast("Select[Any]", named.where(RegisteredModel.project_id == project_id))


async def page_models(session: AsyncSession, project_id: int, params: PageRequest) -> Page[Any]:
    """Return a page of such rows, the newest name first."""
    return await paginate(session, _named(project_id), params, keys=[RegisteredModel.id])


async def get_model_row(session: AsyncSession, project_id: int, name: str) -> Any | None:
    """Return one such row."""
    return (await session.execute(_named(project_id).where(RegisteredModel.name == name))).one_or_none()


async def lock_model(session: AsyncSession, project_id: int, name: str) -> RegisteredModel | None:
    """Lock a name: no other transaction adds a version or changes a stage until this one ends."""
    query = select(RegisteredModel).where(RegisteredModel.project_id == project_id, RegisteredModel.name == name)
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def lock_or_add_model(session: AsyncSession, project_id: int, name: str) -> RegisteredModel:
    """Lock a name, and add it if it is new. Of two that add the same name at once the second waits for the first."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new = dialect.insert(RegisteredModel)
    new = new.values(project_id=project_id, name=name, latest_version=0, created_at=utc_now())
    await session.execute(new.on_conflict_do_nothing(index_elements=["project_id", "name"]))
    model = await lock_model(session, project_id, name)
    assert model is not None  # noqa: S101 - it is there, and names are never deleted but with their project
    return model


def _versions(project_id: int, name: str) -> Select[Any]:
    """Select rows of version and its project's name."""
    versions = select(ModelVersion, Project.name.label("project_name"))
    versions = versions.join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
    versions = versions.join(Project, Project.id == RegisteredModel.project_id)
    return cast("Select[Any]", versions.where(Project.id == project_id, RegisteredModel.name == name))


async def page_versions(session: AsyncSession, project_id: int, name: str, params: PageRequest) -> Page[Any]:
    """Return a page of such rows, the newest version first."""
    return await paginate(session, _versions(project_id, name), params, keys=[ModelVersion.number])


async def get_version_row(session: AsyncSession, project_id: int, name: str, which: VersionSelector) -> Any | None:
    """Return the row of a number, of the newest version, or of the one in production."""
    query = _versions(project_id, name).order_by(ModelVersion.number.desc()).limit(1)
    if which == "production":
        query = query.where(ModelVersion.stage == ModelStage.PRODUCTION)
    elif which != "latest":
        query = query.where(ModelVersion.number == which)
    return (await session.execute(query)).one_or_none()


async def archive_production(session: AsyncSession, model_id: int) -> None:
    """Archive the version that is in production, if any."""
    in_production = (ModelVersion.model_id == model_id) & (ModelVersion.stage == ModelStage.PRODUCTION)
    await session.execute(update(ModelVersion).where(in_production).values(stage=ModelStage.ARCHIVED))


async def list_uris(session: AsyncSession, project_id: int) -> Sequence[str]:
    """Return the URIs of the weights of all versions in a project."""
    query = select(ModelVersion.uri).join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
    return (await session.scalars(query.where(RegisteredModel.project_id == project_id))).all()


async def add_garbage(session: AsyncSession, folder: str, *, due_at: datetime) -> None:
    """Mark a folder for the sweep to delete."""
    await session.merge(GarbageObject(uri=folder, due_at=due_at))


async def keep_garbage(session: AsyncSession, folder: str) -> bool:
    """Unmark a folder. Returns False if it is too late: the sweep may be deleting it."""
    not_due = (GarbageObject.uri == folder) & (GarbageObject.due_at > utc_now() + CLOCK_SKEW)
    return (
        await session.execute(delete(GarbageObject).where(not_due).returning(GarbageObject.uri))
    ).first() is not None
