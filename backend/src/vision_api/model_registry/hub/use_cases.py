"""What can be done with pushes. What happens to them in the background is in `pusher.py`."""

import logging
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

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

NOT_CONFIGURED = "This server pushes to no hub. Whoever runs it may set HUB_TOKEN and HUB_NAMESPACE."


async def push_version(
    session: AsyncSession,
    settings: Settings,
    *,
    user: User,
    project_id: int,
    name: str,
    number: int,
    request: PushCreate,
) -> PushRead:
    """A push that is to happen, or the one that is on its way already.

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
        session.add(push)
        await session.flush()
        log.info("user %s pushes %s/%s:%d to %s", user.id, project_id, name, number, push.repository)
    return _read(push, project_id, name, number)


async def _choose_repository(session: AsyncSession, model: RegisteredModel, namespace: str, wanted: str | None) -> None:
    """Every model has its own."""
    if wanted is None:
        if model.hub_repository is None:
            raise Invalid("Name the repository: nothing of this model was pushed yet.", field="repository")
        return
    asked = f"{namespace}/{wanted}"
    if model.hub_repository not in (None, asked):
        raise Conflict(f"{model.name} is pushed to {model.hub_repository}: leave `repository` out.")
    taken = Conflict(f"Another registered model is pushed to {asked}. Choose another name.")
    if await repository.is_repository_of_other(session, model.id, asked):
        raise taken
    model.hub_repository = asked
    try:
        await session.flush()
    except IntegrityError as error:  # named in the same moment
        raise taken from error


async def page_pushes(
    session: AsyncSession, *, user: User, project_id: int, name: str, number: int, params: PageRequest
) -> Page[PushRead]:
    """The newest first. Raises NotFound."""
    await registry.get_version(session, user=user, project_id=project_id, name=name, which=number)
    page = await repository.page_pushes(session, project_id, name, number, params)
    return page.map(lambda push: _read(push, project_id, name, number))


async def get_push(
    session: AsyncSession, *, user: User, project_id: int, name: str, number: int, push_id: int
) -> PushRead:
    """One push. Raises NotFound."""
    await get_project_for(session, user, project_id)
    push = await repository.get_push(session, project_id, name, number, push_id)
    if push is None:
        raise NotFound(f"This version has no push {push_id}.")
    return _read(push, project_id, name, number)


def _read(push: ModelPush, project_id: int, name: str, number: int) -> PushRead:
    known: dict[str, Any] = {"project_id": project_id, "name": name, "version": number}
    plain = {field: getattr(push, field) for field in PushRead.model_fields if field not in known}
    return PushRead(**plain, **known)
