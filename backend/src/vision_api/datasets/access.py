"""Who may see and change a data set: the one place that decides."""

from typing import Literal

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import NotFound
from vision_api.models import Dataset, ProjectMember, User
from vision_api.projects.access import get_project_for


def visible_to(user: User) -> ColumnElement[bool]:
    """A condition on `Dataset`: the user's own, and those of their projects; an administrator's are all."""
    if user.is_admin:
        return true()
    theirs = select(ProjectMember.project_id).where(ProjectMember.user_id == user.id)
    return or_(
        Dataset.project_id.is_(None) & (Dataset.owner_id == user.id),
        Dataset.project_id.in_(theirs),
    )


async def get_dataset_for(
    session: AsyncSession, user: User, dataset_id: int, *, role: Literal["viewer", "editor"] = "viewer"
) -> Dataset:
    """The data set, if `user` may see it, and is at least `role` in its project.

    Raises NotFound, Forbidden for too low a role.
    """
    dataset = (
        await session.execute(select(Dataset).where(Dataset.id == dataset_id, visible_to(user)))
    ).scalar_one_or_none()
    if dataset is None:
        raise NotFound("There is no such data set, or it is not yours.")
    if dataset.project_id is not None:
        await get_project_for(session, user, dataset.project_id, role=role)
    return dataset
