"""Routes under `/projects`. Their experiments are in `training_jobs`."""

from fastapi import APIRouter, Request, Response

from vision_api.auth.dependencies import CurrentUser
from vision_api.dependencies import ReadSession, WriteSession
from vision_api.kit.idempotency import IdempotencyKey
from vision_api.kit.pagination import PageParams, set_page_headers
from vision_api.kit.schemas import ResourceId
from vision_api.projects import member_use_cases, use_cases
from vision_api.projects.list_route import ProjectListRoute
from vision_api.projects.schemas import (
    MemberCreate,
    MemberRead,
    MemberUpdate,
    ProjectCreate,
    ProjectRead,
    ProjectUpdate,
)

router = APIRouter(prefix="/projects", tags=["projects"])


async def list_projects(
    request: Request, response: Response, user: CurrentUser, session: ReadSession, params: PageParams
) -> list[ProjectRead]:
    """List the projects that you are a member of, newest first; an administrator sees all."""
    page = await use_cases.page_projects(session, user=user, params=params)
    set_page_headers(request, response, page)
    return list(page.items)


router.add_api_route("", list_projects, route_class_override=ProjectListRoute)


@router.post("", status_code=201)
async def create_project(
    body: ProjectCreate, response: Response, user: CurrentUser, session: WriteSession, idempotency: IdempotencyKey
) -> ProjectRead:
    """Create a project. You are its owner."""
    project = await idempotency.once(
        session,
        user_id=user.id,
        body=body,
        result_type=ProjectRead,
        create=lambda: use_cases.create_project(session, user=user, request=body),
        find=lambda made: use_cases.get_project(session, user=user, project_id=made.id),
    )
    response.headers["Location"] = f"/api/v1/projects/{project.id}"
    return project


@router.get("/{project_id}")
async def get_project(project_id: ResourceId, user: CurrentUser, session: ReadSession) -> ProjectRead:
    """Return one project."""
    return await use_cases.get_project(session, user=user, project_id=project_id)


@router.patch("/{project_id}")
async def update_project(
    project_id: ResourceId, body: ProjectUpdate, user: CurrentUser, session: WriteSession
) -> ProjectRead:
    """Change a project, as an editor."""
    return await use_cases.update_project(session, user=user, project_id=project_id, request=body)


@router.delete("/{project_id}", status_code=204)
async def delete_project(project_id: ResourceId, user: CurrentUser, session: WriteSession) -> None:
    """Delete a project with all its data sets, registered models and experiments, running ones too, as an owner."""
    await use_cases.delete_project(session, user=user, project_id=project_id)


@router.get("/{project_id}/members")
async def list_members(
    project_id: ResourceId,
    request: Request,
    response: Response,
    user: CurrentUser,
    session: ReadSession,
    params: PageParams,
) -> list[MemberRead]:
    """List the members of a project, with their roles."""
    page = await member_use_cases.page_members(session, user=user, project_id=project_id, params=params)
    set_page_headers(request, response, page)
    return list(page.items)


@router.post("/{project_id}/members", status_code=201)
async def add_member(
    project_id: ResourceId,
    body: MemberCreate,
    response: Response,
    user: CurrentUser,
    session: WriteSession,
    idempotency: IdempotencyKey,
) -> MemberRead:
    """Add a user to the project, as an owner."""
    member = await idempotency.once(
        session,
        user_id=user.id,
        body=body,
        result_type=MemberRead,
        create=lambda: member_use_cases.add_member(session, user=user, project_id=project_id, request=body),
        find=lambda made: member_use_cases.get_member(session, user=user, project_id=project_id, user_id=made.user_id),
    )
    response.headers["Location"] = f"/api/v1/projects/{project_id}/members/{member.user_id}"
    return member


@router.patch("/{project_id}/members/{user_id}")
async def update_member(
    project_id: ResourceId, user_id: ResourceId, body: MemberUpdate, user: CurrentUser, session: WriteSession
) -> MemberRead:
    """Change the role of a member, as an owner. The last owner stays one."""
    return await member_use_cases.update_member(
        session, user=user, project_id=project_id, user_id=user_id, request=body
    )


@router.delete("/{project_id}/members/{user_id}", status_code=204)
async def remove_member(project_id: ResourceId, user_id: ResourceId, user: CurrentUser, session: WriteSession) -> None:
    """Remove a member as an owner, or leave the project. The last owner cannot leave."""
    await member_use_cases.remove_member(session, user=user, project_id=project_id, user_id=user_id)
