"""Statements about pushes."""

from typing import Any, cast

from sqlalchemy import Select, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.pagination import Page, PageRequest, paginate
from vision_api.models import ModelPush, ModelVersion, Project, PushStatus, RegisteredModel


def _pushes(project_id: int, name: str, number: int) -> Select[Any]:
    query = (
        select(ModelPush)
        .join(ModelVersion, ModelVersion.id == ModelPush.version_id)
        .join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
        .where(RegisteredModel.project_id == project_id, RegisteredModel.name == name, ModelVersion.number == number)
    )
    return cast("Select[Any]", query)


async def page_pushes(
    session: AsyncSession, project_id: int, name: str, number: int, params: PageRequest
) -> Page[ModelPush]:
    """Return a page of the pushes of a version, the newest first."""
    return await paginate(session, _pushes(project_id, name, number), params, keys=[ModelPush.id])


async def get_push(session: AsyncSession, project_id: int, name: str, number: int, push_id: int) -> ModelPush | None:
    """Return one push of a version."""
    return await session.scalar(_pushes(project_id, name, number).where(ModelPush.id == push_id))


async def get_unfinished(session: AsyncSession, version_id: int) -> ModelPush | None:
    """Return the unfinished push of a version, if any."""
    query = select(ModelPush).where(ModelPush.version_id == version_id, ModelPush.status == PushStatus.PUSHING)
    return await session.scalar(query.limit(1))


async def is_repository_of_other(session: AsyncSession, model_id: int, repository: str) -> bool:
    """Return whether another registered model of any project is pushed to the repository."""
    taken = exists().where(RegisteredModel.hub_repository == repository, RegisteredModel.id != model_id)
    return bool(await session.scalar(select(taken)))


async def free_unused_repository(session: AsyncSession, version_id: int) -> None:
    """Release the repository of a model, unless something of it has arrived or may still arrive there."""
    model_id = select(ModelVersion.model_id).where(ModelVersion.id == version_id).scalar_subquery()
    versions = select(ModelVersion.id).where(ModelVersion.model_id == model_id)
    others = exists().where(ModelPush.version_id.in_(versions), ModelPush.status != PushStatus.FAILED)
    unused = update(RegisteredModel).where(RegisteredModel.id == model_id, ~others)
    await session.execute(unused.values(hub_repository=None).execution_options(synchronize_session=False))


async def get_version_with_names(session: AsyncSession, version_id: int) -> Any:
    """Return the row of a version, its project's id and name, and its model's name."""
    query = select(ModelVersion, Project.id, Project.name, RegisteredModel.name)
    query = query.join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
    query = query.join(Project, Project.id == RegisteredModel.project_id)
    return (await session.execute(query.where(ModelVersion.id == version_id))).one()
