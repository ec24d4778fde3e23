"""Access to data sets and their versions: the one place that decides about it."""

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.datasets import repository
from vision_api.errors import NotFound
from vision_api.models import Dataset, DatasetVersion, User
from vision_api.projects.access import get_project_for


async def get_dataset_for(
    session: AsyncSession, user: User, dataset_id: int, *, role: Literal["viewer", "editor"] = "viewer"
) -> Dataset:
    """Return the data set, if `user` may see it and has at least `role` in its project.

    Raises NotFound, Forbidden for too low a role.
    """
    dataset = await repository.get_visible_dataset(session, user=user, dataset_id=dataset_id)
    if dataset is None:
        raise NotFound("There is no such data set, or it is not yours.")
    if dataset.project_id is not None:
        await get_project_for(session, user, dataset.project_id, role=role)
    return dataset


async def get_version_of(session: AsyncSession, dataset: Dataset, number: int | None) -> DatasetVersion:
    """Return the version of that number, or the newest. Raises NotFound."""
    version = await repository.get_version(session, dataset.id, number or dataset.latest_version)
    if version is None:
        raise NotFound(f"Data set {dataset.id} has no version {number}.")
    return version
