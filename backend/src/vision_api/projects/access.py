"""Who may do what: the one place that decides about projects."""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import Forbidden, NotFound
from vision_api.models import Project, ProjectMember, ProjectRole, User


async def get_project_for(
    session: AsyncSession,
    user: User,
    project_id: int,
    role: Literal["viewer", "editor", "owner"] = "viewer",
) -> Project:
    """The project, if `user` is at least `role` in it. An administrator may do everything.

    Raises NotFound for what is not theirs (its existence is nobody's business), Forbidden for too low a role.
    """
    row = (
        await session.execute(
            select(Project, ProjectMember.role)
            .outerjoin(ProjectMember, (ProjectMember.project_id == Project.id) & (ProjectMember.user_id == user.id))
            .where(Project.id == project_id)
        )
    ).one_or_none()
    if row is None or (row[1] is None and not user.is_admin):
        raise NotFound("There is no such project, or you are not a member of it.")
    project: Project = row[0]
    if not user.is_admin and ProjectRole(row[1]).rank < ProjectRole(role).rank:
        raise Forbidden(f"This needs the role {role} in the project; yours is {row[1]}. Ask an owner.")
    return project
