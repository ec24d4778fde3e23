"""Statements about data sets and their versions."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.pagination import Page, PageRequest, paginate
from vision_api.models import (
    Dataset,
    DatasetStatus,
    DatasetVersion,
    GarbageObject,
    ProjectMember,
    TrainingJob,
    User,
)
from vision_api.training_jobs.status import ENDED

_CONTENT = 0x64617461
"""Namespace of the locks on contents among all advisory locks of the database."""


def _is_visible_to(user: User) -> ColumnElement[bool]:
    """Build the condition on `Dataset`: the user's own, and those of their projects; an administrator's are all."""
    if user.is_admin:
        return true()
    own_projects = select(ProjectMember.project_id).where(ProjectMember.user_id == user.id)
    return or_(
        Dataset.project_id.is_(None) & (Dataset.owner_id == user.id),
        Dataset.project_id.in_(own_projects),
    )


async def get_visible_dataset(session: AsyncSession, *, user: User, dataset_id: int) -> Dataset | None:
    """Return the data set, if `user` may see it."""
    return await session.scalar(select(Dataset).where(Dataset.id == dataset_id, _is_visible_to(user)))


async def page_datasets(
    session: AsyncSession,
    *,
    user: User,
    params: PageRequest,
    project_id: int | None = None,
    status: DatasetStatus | None = None,
) -> Page[Any]:
    """Return rows of data set and newest version, newest first."""
    is_latest = (DatasetVersion.dataset_id == Dataset.id) & (DatasetVersion.number == Dataset.latest_version)
    rows = select(Dataset, DatasetVersion).join(DatasetVersion, is_latest).where(_is_visible_to(user))
    statement = cast("Select[Any]", rows)
    if project_id is not None:
        statement = statement.where(Dataset.project_id == project_id)
    if status is not None:
        statement = statement.where(DatasetVersion.status == status)
    return await paginate(session, statement, params, keys=[Dataset.id])


async def get_version(session: AsyncSession, dataset_id: int, number: int) -> DatasetVersion | None:
    """Return one version."""
    statement = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id, DatasetVersion.number == number)
    return (await session.execute(statement)).scalar_one_or_none()


async def get_ready_version(session: AsyncSession, dataset_id: int, number: int | None) -> DatasetVersion | None:
    """Return the version of that number, or the newest ready one; None if it cannot be trained on."""
    statement = (
        select(DatasetVersion)
        .where(DatasetVersion.dataset_id == dataset_id, DatasetVersion.status == DatasetStatus.READY)
        .order_by(DatasetVersion.number.desc())
        .limit(1)
    )
    if number is not None:
        statement = statement.where(DatasetVersion.number == number)
    return (await session.execute(statement)).scalar_one_or_none()


async def page_versions(session: AsyncSession, dataset_id: int, params: PageRequest) -> Page[DatasetVersion]:
    """Return the versions of a data set, newest first."""
    versions = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id)
    return await paginate(session, versions, params, keys=[DatasetVersion.number])


async def lock_dataset(session: AsyncSession, dataset_id: int) -> None:
    """Lock the data set's row until the transaction ends, so that no other one adds a version."""
    await session.execute(select(Dataset.id).where(Dataset.id == dataset_id).with_for_update())


async def list_versions(session: AsyncSession, dataset_id: int) -> list[DatasetVersion]:
    """Return all versions of a data set."""
    statement = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id)
    return list((await session.execute(statement)).scalars())


async def list_project_datasets(session: AsyncSession, project_id: int) -> list[Dataset]:
    """Return the data sets of a project."""
    return list((await session.execute(select(Dataset).where(Dataset.project_id == project_id))).scalars())


async def count_jobs_that_need(session: AsyncSession, dataset_id: int, *, besides_project_id: int | None = None) -> int:
    """Count jobs that still have to train on it; with `besides_project_id` only those of other projects."""
    statement = select(func.count()).where(
        TrainingJob.dataset_id == dataset_id, TrainingJob.deleted_at.is_(None), TrainingJob.status.not_in(ENDED)
    )
    if besides_project_id is not None:
        statement = statement.where(TrainingJob.project_id != besides_project_id)
    return (await session.execute(statement)).scalar_one()


async def lock_contents(session: AsyncSession, digests: Iterable[str]) -> None:
    """Lock contents until the transaction ends, so that no other one begins or ceases to need them.

    Lock contents before any version of them.
    """
    if session.get_bind().dialect.name == "postgresql":
        for digest in sorted(digests):
            await session.execute(select(func.pg_advisory_xact_lock(_CONTENT, func.hashtext(digest))))


async def is_digest_used_elsewhere(session: AsyncSession, digest: str, dataset_id: int) -> bool:
    """Return whether another data set has the same content, and so the same files in storage."""
    statement = select(DatasetVersion.id).where(
        DatasetVersion.digest == digest, DatasetVersion.dataset_id != dataset_id
    )
    return (await session.execute(statement.limit(1))).first() is not None


async def is_digest_used(session: AsyncSession, digest: str) -> bool:
    """Return whether any version has this content."""
    statement = select(DatasetVersion.id).where(DatasetVersion.digest == digest).limit(1)
    return (await session.execute(statement)).first() is not None


async def add_garbage(session: AsyncSession, uris: Sequence[str], *, due_at: datetime) -> None:
    """Mark objects for the sweep to delete."""
    for uri in uris:
        await session.merge(GarbageObject(uri=uri, due_at=due_at))


async def is_garbage_due(session: AsyncSession, uris: Collection[str], *, before: datetime) -> bool:
    """Return whether the sweep may already be deleting some of these objects."""
    due = select(GarbageObject.uri).where(GarbageObject.uri.in_(uris), GarbageObject.due_at < before)
    return (await session.execute(due.limit(1))).first() is not None


async def remove_garbage(session: AsyncSession, uris: Collection[str]) -> None:
    """Keep objects that are needed again."""
    await session.execute(delete(GarbageObject).where(GarbageObject.uri.in_(uris)))


async def list_upload_uris(session: AsyncSession) -> set[str]:
    """Return the URIs of uploads that a version still needs."""
    statement = select(DatasetVersion.upload_uri).where(DatasetVersion.upload_uri.is_not(None))
    return {uri for uri in (await session.execute(statement)).scalars() if uri is not None}
