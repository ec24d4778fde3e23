"""Permissions in projects: the one place that decides about them."""

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import Forbidden, NotFound
from vision_api.models import Project, ProjectRole, User
from vision_api.projects import repository

MISSING = "There is no such project, or you are not a member of it."


async def get_project_for(
    session: AsyncSession,
    user: User,
    project_id: int,
    role: Literal["viewer", "editor", "owner"] = "viewer",
) -> Project:
    """Return the project, if `user` is at least `role` in it. An administrator may do everything.

    Raises NotFound for a project that the user cannot see, Forbidden for too low a role.
    """
    found = await repository.find_project_with_role(session, project_id=project_id, user_id=user.id)
    if found is None:
        raise NotFound(MISSING)
    project, own_role = found
    if user.is_admin:
        return project
    if own_role is None:
        raise NotFound(MISSING)
    if ProjectRole(own_role).rank < ProjectRole(role).rank:
        raise Forbidden(f"This needs the role {role} in the project; yours is {own_role}. Ask an owner.")
    return project
