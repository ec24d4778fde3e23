"""Use cases of a project's members."""

import logging

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.auth.repository import get_user_by_email
from vision_api.errors import Conflict, Invalid, NotFound
from vision_api.kit.pagination import Page, PageRequest
from vision_api.models import ProjectMember, ProjectRole, User
from vision_api.projects import repository
from vision_api.projects.access import get_project_for
from vision_api.projects.schemas import MemberCreate, MemberRead, MemberUpdate
from vision_api.projects.serializers import read_member

MISSING = "This user is not a member of the project."
log = logging.getLogger(__name__)


async def page_members(session: AsyncSession, *, user: User, project_id: int, params: PageRequest) -> Page[MemberRead]:
    """Return a page of the members. Raises NotFound."""
    await get_project_for(session, user, project_id)
    page = await repository.page_members(session, project_id=project_id, params=params)
    return page.map(lambda row: read_member(*row))


async def get_member(session: AsyncSession, *, user: User, project_id: int, user_id: int) -> MemberRead:
    """Return one member. Raises NotFound."""
    await get_project_for(session, user, project_id)
    member = await repository.get_member(session, project_id=project_id, user_id=user_id)
    if member is None:
        raise NotFound(MISSING)
    return read_member(member, await session.get_one(User, user_id))


async def add_member(session: AsyncSession, *, user: User, project_id: int, request: MemberCreate) -> MemberRead:
    """Add a member. Raises Invalid for an e-mail without an account, Conflict for a member."""
    await get_project_for(session, user, project_id, role="owner")
    joining = await get_user_by_email(session, request.email)
    if joining is None:
        raise Invalid(f"There is no account with the e-mail {request.email}. Ask its owner to register.", field="email")
    if await repository.get_member(session, project_id=project_id, user_id=joining.id):
        raise Conflict(f"{request.email} is a member already. Change the role with PATCH.")
    member = ProjectMember(project_id=project_id, user_id=joining.id, role=request.role)
    session.add(member)
    await session.flush()
    log.info("user %s made user %s %s of project %s", user.id, joining.id, member.role, project_id)
    return read_member(member, joining)


async def update_member(
    session: AsyncSession, *, user: User, project_id: int, user_id: int, request: MemberUpdate
) -> MemberRead:
    """Give a member another role. Raises Conflict if the project would be left without an owner."""
    await get_project_for(session, user, project_id, role="owner")
    member = await _lock_member(session, project_id, user_id)
    if request.role != ProjectRole.OWNER:
        await _keep_an_owner(session, member)
    member.role = request.role
    await session.flush()
    log.info("user %s made user %s %s of project %s", user.id, user_id, member.role, project_id)
    return read_member(member, await session.get_one(User, user_id))


async def remove_member(session: AsyncSession, *, user: User, project_id: int, user_id: int) -> None:
    """Remove a member as an owner, or leave the project. Raises Conflict for the last owner."""
    await get_project_for(session, user, project_id, role="viewer" if user_id == user.id else "owner")
    member = await _lock_member(session, project_id, user_id)
    await _keep_an_owner(session, member)
    await session.delete(member)
    log.info("user %s removed user %s from project %s", user.id, user_id, project_id)


async def _lock_member(session: AsyncSession, project_id: int, user_id: int) -> ProjectMember:
    await repository.lock_project(session, project_id)
    member = await repository.get_member(session, project_id=project_id, user_id=user_id)
    if member is None:
        raise NotFound(MISSING)
    return member


async def _keep_an_owner(session: AsyncSession, member: ProjectMember) -> None:
    if member.role == ProjectRole.OWNER and await repository.count_owners(session, member.project_id) == 1:
        raise Conflict("This is the project's last owner. Make another member an owner first.")
