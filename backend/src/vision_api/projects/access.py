"""Who may do what: the one place that decides about projects."""

from typing import Literal, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import Forbidden, NotFound
from vision_api.models import Project, ProjectMember, ProjectRole, User

MISSING = "There is no such project, or you are not a member of it."


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
    if row is None:
        raise NotFound(MISSING)
    project: Project = row[0]
    own_role = cast("str | None", row[1])  # an outer join
    if user.is_admin:
        return project
    if own_role is None:
        raise NotFound(MISSING)
    if ProjectRole(own_role).rank < ProjectRole(role).rank:
        raise Forbidden(f"This needs the role {role} in the project; yours is {own_role}. Ask an owner.")
    return project
