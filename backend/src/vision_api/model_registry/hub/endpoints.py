"""Routes of pushes to the hub."""

from urllib.parse import quote

from fastapi import APIRouter, Request, Response, status

from vision_api.auth.dependencies import CurrentUser
from vision_api.dependencies import ReadSession, SettingsDep, WriteSession
from vision_api.kit.pagination import PageParams, set_page_headers
from vision_api.kit.schemas import ResourceId
from vision_api.model_registry.endpoints import VERSIONS, Number
from vision_api.model_registry.hub import use_cases
from vision_api.model_registry.hub.schemas import PushCreate, PushRead
from vision_api.model_registry.schemas import ModelName

router = APIRouter(tags=["registered models"])

PUSHES = VERSIONS + "/{version}/pushes"


@router.post(PUSHES, status_code=status.HTTP_202_ACCEPTED)
async def push_model_version(
    project_id: ResourceId,
    name: ModelName,
    version: Number,
    body: PushCreate,
    session: WriteSession,
    settings: SettingsDep,
    user: CurrentUser,
    request: Request,
    response: Response,
) -> PushRead:
    """Push a version to the hub: weights, model card and lineage, in one commit with the tag `v<version>`.

    Requires the role `editor`. While a push of the version is unfinished, the same push is returned. 409
    `hub_not_configured` without a token.
    """
    push = await use_cases.push_version(
        session, settings=settings, user=user, project_id=project_id, name=name, number=version, request=body
    )
    path = {"project_id": project_id, "name": name, "version": version, "push_id": push.id}
    response.headers["Location"] = quote(request.url_for("get_push", **path).path)
    return push


@router.get(PUSHES)
async def list_pushes(
    project_id: ResourceId,
    name: ModelName,
    version: Number,
    session: ReadSession,
    user: CurrentUser,
    params: PageParams,
    request: Request,
    response: Response,
) -> list[PushRead]:
    """List the pushes of a version, newest first."""
    page = await use_cases.page_pushes(
        session, user=user, project_id=project_id, name=name, number=version, params=params
    )
    set_page_headers(request, response, page)
    return list(page.items)


@router.get(PUSHES + "/{push_id}")
async def get_push(
    project_id: ResourceId, name: ModelName, version: Number, push_id: ResourceId, session: ReadSession,
    user: CurrentUser,
) -> PushRead:  # fmt: skip
    """Get a push: its status, and the commit or the error."""
    return await use_cases.get_push(
        session, user=user, project_id=project_id, name=name, number=version, push_id=push_id
    )
