"""Statements about projects and members."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.pagination import Page, PageRequest, paginate
from vision_api.models import Project, ProjectMember, ProjectRole, TrainingJob, User
from vision_api.training_jobs.kinds import is_experiment


def _seen_by(user: User) -> Select[Project, str]:
    """Select each project that `user` sees, with the user's role."""
    role = func.coalesce(ProjectMember.role, ProjectRole.OWNER.value)
    return select(Project, role.label("user_role")).join(
        ProjectMember,
        (ProjectMember.project_id == Project.id) & (ProjectMember.user_id == user.id),
        isouter=user.is_admin,
    )


async def page_projects(session: AsyncSession, *, user: User, params: PageRequest) -> Page[Any]:
    """Return rows of project and user_role, newest first."""
    return await paginate(session, _seen_by(user), params, keys=[Project.id])


async def get_project_row(session: AsyncSession, *, user: User, project_id: int) -> Any | None:
    """Return the row of project and user_role, if the user sees the project."""
    return (await session.execute(_seen_by(user).where(Project.id == project_id))).one_or_none()


async def find_project_with_role(
    session: AsyncSession, *, project_id: int, user_id: int
) -> tuple[Project, str | None] | None:
    """Return a project and the user's role in it, which is None without a membership."""
    row = (
        await session.execute(
            select(Project, ProjectMember.role)
            .outerjoin(ProjectMember, (ProjectMember.project_id == Project.id) & (ProjectMember.user_id == user_id))
            .where(Project.id == project_id)
        )
    ).one_or_none()
    return None if row is None else (row[0], cast("str | None", row[1]))  # typed as if the join were an inner one


async def list_project_ids(session: AsyncSession) -> Sequence[int]:
    """Return the ids of all projects, in order."""
    return (await session.scalars(select(Project.id).order_by(Project.id))).all()


async def page_members(session: AsyncSession, *, project_id: int, params: PageRequest) -> Page[Any]:
    """Return rows of membership and user, in the order of the users' registration."""
    members = (
        select(ProjectMember, User)
        .join(User, User.id == ProjectMember.user_id)
        .where(ProjectMember.project_id == project_id)
    )
    return await paginate(session, members, params, keys=[ProjectMember.user_id], descending=False)


async def get_member(session: AsyncSession, *, project_id: int, user_id: int) -> ProjectMember | None:
    """Return one membership."""
    return await session.get(ProjectMember, (project_id, user_id))


async def lock_project(session: AsyncSession, project_id: int) -> None:
    """Lock the project until the transaction ends: two owners could leave at once."""
    await session.execute(select(Project.id).where(Project.id == project_id).with_for_update())


async def count_owners(session: AsyncSession, project_id: int) -> int:
    """Return the number of owners."""
    owners = select(func.count()).where(
        ProjectMember.project_id == project_id, ProjectMember.role == ProjectRole.OWNER.value
    )
    return (await session.execute(owners)).scalar_one()


async def add_to_experiment_count(session: AsyncSession, project_id: int, number: int) -> bool:
    """Add to the stored count of a project's experiments; return False if the project is gone.

    Call it before the row of the job is made or locked: deleting a project locks it first and its jobs then, and the
    other order would be a deadlock.
    """
    kept = update(Project).where(Project.id == project_id)
    kept = kept.values(experiment_count=Project.experiment_count + number, updated_at=Project.updated_at)
    counted = await session.execute(kept.returning(Project.id).execution_options(synchronize_session=False))
    return counted.first() is not None


async def recount_experiments(session: AsyncSession, project_id: int) -> bool:
    """Correct the stored count; return True if it was wrong.

    Transactions that create or delete a job lock the project's row first: once it is locked here, all jobs are seen.
    """
    project = await session.get(Project, project_id, with_for_update=True, populate_existing=True)
    if project is None:
        return False
    is_counted = is_experiment() & TrainingJob.deleted_at.is_(None)
    jobs = (TrainingJob.project_id == project_id) & is_counted
    counted = (await session.execute(select(func.count()).where(jobs))).scalar_one()
    was_wrong = counted != project.experiment_count
    if was_wrong:
        values = {"experiment_count": counted, "updated_at": Project.updated_at}
        await session.execute(update(Project).where(Project.id == project_id).values(values))
    return was_wrong
