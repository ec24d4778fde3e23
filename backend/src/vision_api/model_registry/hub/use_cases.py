"""Use cases of pushes: request and read them. They are processed by `pusher.py`."""

import logging
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.background.repository import add_waiting
from vision_api.config import Settings
from vision_api.errors import Conflict, Invalid, NotFound
from vision_api.kit.pagination import Page, PageRequest
from vision_api.model_registry import use_cases as registry
from vision_api.model_registry.hub import repository
from vision_api.model_registry.hub.schemas import PushCreate, PushRead
from vision_api.model_registry.repository import get_version_row, lock_model
from vision_api.models import ModelPush, RegisteredModel, User
from vision_api.projects.access import get_project_for

log = logging.getLogger(__name__)

NOT_CONFIGURED = "This server pushes to no hub. Its operator can set HUB_TOKEN and HUB_NAMESPACE."


async def push_version(
    session: AsyncSession,
    *,
    settings: Settings,
    user: User,
    project_id: int,
    name: str,
    number: int,
    request: PushCreate,
) -> PushRead:
    """Return a new push, or the unfinished one of the version.

    Raises NotFound, Forbidden for a viewer, Conflict without a token or for the repository of another model, Invalid.
    """
    await get_project_for(session, user, project_id, role="editor")
    if settings.hub_token is None:
        raise Conflict(NOT_CONFIGURED, code="hub_not_configured")
    model = await lock_model(session, project_id, name)
    row = await get_version_row(session, project_id, name, number)
    if model is None or row is None:
        raise NotFound(f"This project has no version {number} of a model {name!r}.")
    push = await repository.get_unfinished(session, row[0].id)
    if push is None:
        await _choose_repository(session, model, settings.hub_namespace, request.repository)
        push = ModelPush(
            version_id=row[0].id,
            repository=model.hub_repository,
            is_private=request.private,
            created_by_id=user.id,
        )
        await add_waiting(session, push)
        log.info("user %s pushes %s/%s:%d to %s", user.id, project_id, name, number, push.repository)
    return _read(push, project_id, name, number)


async def _choose_repository(session: AsyncSession, model: RegisteredModel, namespace: str, name: str | None) -> None:
    """Set the repository of a model; no two models share one."""
    if name is None:
        if model.hub_repository is None:
            raise Invalid("Name the repository: nothing of this model was pushed yet.", field="repository")
        return
    full_name = f"{namespace}/{name}"
    if model.hub_repository not in (None, full_name):
        raise Conflict(f"{model.name} is pushed to {model.hub_repository}: leave `repository` out.")
    taken = Conflict(f"Another registered model is pushed to {full_name}. Choose another name.")
    if await repository.is_repository_of_other(session, model.id, full_name):
        raise taken
    model.hub_repository = full_name
    try:
        await session.flush()
    except IntegrityError as error:  # another transaction took it in the same moment
        raise taken from error


async def page_pushes(
    session: AsyncSession, *, user: User, project_id: int, name: str, number: int, params: PageRequest
) -> Page[PushRead]:
    """Return a page of pushes, the newest first. Raises NotFound."""
    await registry.get_version(session, user=user, project_id=project_id, name=name, which=number)
    page = await repository.page_pushes(session, project_id, name, number, params)
    return page.map(lambda push: _read(push, project_id, name, number))


async def get_push(
    session: AsyncSession, *, user: User, project_id: int, name: str, number: int, push_id: int
) -> PushRead:
    """Return one push. Raises NotFound."""
    await get_project_for(session, user, project_id)
    push = await repository.get_push(session, project_id, name, number, push_id)
    if push is None:
        raise NotFound(f"This version has no push {push_id}.")
    return _read(push, project_id, name, number)


def _read(push: ModelPush, project_id: int, name: str, number: int) -> PushRead:
    names: dict[str, Any] = {"project_id": project_id, "name": name, "version": number}
    plain = {field: getattr(push, field) for field in PushRead.model_fields if field not in names}
    return PushRead(**plain, **names)
