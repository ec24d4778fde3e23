"""Statements about projects and members."""

from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.pagination import Page, PageRequest, paginate
from vision_api.models import Project, ProjectMember, ProjectRole, TrainingJob, User


def _seen_by(user: User) -> Select[Project, int, str]:
    """Each project that `user` sees, with its number of experiments and the user's role.

    The count is a subquery of the one statement: no statement for each project, however many there are.
    """
    experiment_count = (
        select(func.count())
        .select_from(TrainingJob)
        .where(TrainingJob.project_id == Project.id, TrainingJob.deleted_at.is_(None))
        .correlate(Project)
        .scalar_subquery()
    )
    role = func.coalesce(ProjectMember.role, ProjectRole.OWNER.value)
    return select(Project, experiment_count.label("experiment_count"), role.label("user_role")).join(
        ProjectMember,
        (ProjectMember.project_id == Project.id) & (ProjectMember.user_id == user.id),
        isouter=user.is_admin,
    )


async def page_projects(session: AsyncSession, *, user: User, params: PageRequest) -> Page[Any]:
    """Newest first: rows of project, experiment_count and user_role."""
    return await paginate(session, _seen_by(user), params, keys=[Project.id])


async def get_project_row(session: AsyncSession, *, user: User, project_id: int) -> Any | None:
    """One such row, if the user sees it."""
    return (await session.execute(_seen_by(user).where(Project.id == project_id))).one_or_none()


async def page_members(session: AsyncSession, *, project_id: int, params: PageRequest) -> Page[Any]:
    """In the order in which they came to the platform: rows of membership and user."""
    members = (
        select(ProjectMember, User)
        .join(User, User.id == ProjectMember.user_id)
        .where(ProjectMember.project_id == project_id)
    )
    return await paginate(session, members, params, keys=[ProjectMember.user_id], descending=False)


async def get_member(session: AsyncSession, *, project_id: int, user_id: int) -> ProjectMember | None:
    """One membership."""
    return await session.get(ProjectMember, (project_id, user_id))


async def lock_project(session: AsyncSession, project_id: int) -> None:
    """Let nobody else change the members until the transaction ends: two owners could leave at once."""
    await session.execute(select(Project.id).where(Project.id == project_id).with_for_update())


async def count_owners(session: AsyncSession, project_id: int) -> int:
    """How many owners the project has."""
    owners = select(func.count()).where(
        ProjectMember.project_id == project_id, ProjectMember.role == ProjectRole.OWNER.value
    )
    return (await session.execute(owners)).scalar_one()
