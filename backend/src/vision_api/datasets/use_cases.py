"""Use cases of data sets and their versions."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.background.repository import add_waiting
from vision_api.datasets import repository
from vision_api.datasets.access import get_dataset_for, get_version_of
from vision_api.datasets.schemas import DatasetCreate, DatasetRead, DatasetUpdate, VersionRead
from vision_api.datasets.serializers import read_dataset, read_version
from vision_api.errors import InUse
from vision_api.kit.clock import utc_now
from vision_api.kit.pagination import Page, PageRequest
from vision_api.models import Dataset, DatasetStatus, DatasetVersion, User
from vision_api.storage_layout import archive_key, content_keys

log = logging.getLogger(__name__)

KEPT_AFTER_DELETION = timedelta(hours=1)
"""Time for those who have begun to read an archive to finish."""


@dataclass(frozen=True)
class Origin:
    """Origin of a version's content, an upload in storage or a place to import from, and the split options for it."""

    upload_uri: str | None = None
    upload_bytes: int = 0
    import_uri: str | None = None
    split_options: dict[str, Any] | None = None


async def page_datasets(
    session: AsyncSession,
    *,
    user: User,
    params: PageRequest,
    project_id: int | None = None,
    status: DatasetStatus | None = None,
) -> Page[DatasetRead]:
    """Return the data sets that the user sees, newest first."""
    page = await repository.page_datasets(session, user=user, params=params, project_id=project_id, status=status)
    return page.map(lambda row: read_dataset(*row))


async def get_dataset(session: AsyncSession, *, user: User, dataset_id: int) -> DatasetRead:
    """Return one data set. Raises NotFound."""
    dataset = await get_dataset_for(session, user, dataset_id)
    return read_dataset(dataset, await get_version_of(session, dataset, None))


async def create_dataset(session: AsyncSession, *, user: User, request: DatasetCreate, origin: Origin) -> DatasetRead:
    """Create a data set whose content is to be processed."""
    dataset = Dataset(name=request.name, project_id=request.project_id, owner_id=user.id)
    session.add(dataset)
    await session.flush()
    version = _new_version(dataset, user, origin)
    await add_waiting(session, version)
    log.info("user %s created data set %s from %s", user.id, dataset.id, origin.import_uri or origin.upload_uri)
    return read_dataset(dataset, version)


async def add_version(session: AsyncSession, *, user: User, dataset_id: int, origin: Origin) -> VersionRead:
    """Add a version whose content is to be processed. Raises NotFound, Forbidden for a viewer."""
    await repository.lock_dataset(session, dataset_id)
    dataset = await get_dataset_for(session, user, dataset_id, role="editor")
    dataset.latest_version += 1
    version = _new_version(dataset, user, origin)
    await add_waiting(session, version)
    return read_version(version)


def _new_version(dataset: Dataset, user: User, origin: Origin) -> DatasetVersion:
    return DatasetVersion(
        dataset_id=dataset.id,
        number=dataset.latest_version,
        created_by_id=user.id,
        upload_uri=origin.upload_uri,
        upload_bytes=origin.upload_bytes,
        import_uri=origin.import_uri,
        split_options=origin.split_options,
        status=DatasetStatus.PROCESSING,
        tries=0,
        task_types=[],
        class_names=[],
        keypoint_names=[],
        skeleton=[],
        splits={},
        error_count=0,
        warning_count=0,
    )


async def page_versions(
    session: AsyncSession, *, user: User, dataset_id: int, params: PageRequest
) -> Page[VersionRead]:
    """Return all versions, newest first. Raises NotFound."""
    dataset = await get_dataset_for(session, user, dataset_id)
    return (await repository.page_versions(session, dataset.id, params)).map(read_version)


async def update_dataset(session: AsyncSession, *, user: User, dataset_id: int, request: DatasetUpdate) -> DatasetRead:
    """Rename a data set. Raises NotFound, Forbidden for a viewer."""
    dataset = await get_dataset_for(session, user, dataset_id, role="editor")
    dataset.name = request.name
    await session.flush()
    return read_dataset(dataset, await get_version_of(session, dataset, None))


async def delete_dataset(session: AsyncSession, *, user: User, dataset_id: int) -> None:
    """Delete a data set with all its versions; the sweep deletes their files, unless another has the same content.

    Raises NotFound, Forbidden for a viewer, InUse while a job still has to train on it.
    """
    await repository.lock_dataset(session, dataset_id)
    dataset = await get_dataset_for(session, user, dataset_id, role="editor")
    jobs = await repository.count_jobs_that_need(session, dataset_id)
    if jobs:
        raise InUse(f"{jobs} experiments still have to train on this data set. Delete or stop them first.")
    await _delete(session, dataset)
    log.info("user %s deleted data set %s", user.id, dataset_id)


async def delete_project_datasets(session: AsyncSession, *, project_id: int) -> None:
    """Delete the data sets of a project that is about to be deleted with its jobs.

    Those that jobs of other projects need stay, and become their owners'.
    """
    for dataset in await repository.list_project_datasets(session, project_id):
        await repository.lock_dataset(session, dataset.id)
        if not await repository.count_jobs_that_need(session, dataset.id, besides_project_id=project_id):
            await _delete(session, dataset)


async def _delete(session: AsyncSession, dataset: Dataset) -> None:
    versions = await repository.list_versions(session, dataset.id)
    await repository.lock_contents(session, {version.digest for version in versions if version.digest is not None})
    for version in versions:
        await _discard_files(session, version)
    await session.delete(dataset)
    await session.flush()  # the counts for the next one must not include it


async def _discard_files(session: AsyncSession, version: DatasetVersion) -> None:
    """Mark the stored files of a version for the sweep, except those that another data set needs."""
    uris = [version.upload_uri] if version.upload_uri is not None else []
    digest, archive = version.digest, version.archive_uri
    if digest is None or archive is None:
        pass
    elif not await repository.is_digest_used_elsewhere(session, digest, version.dataset_id):
        images = {split: counts["images"] for split, counts in version.splits.items()}
        storage = archive.removesuffix(archive_key(digest))
        uris += [storage + key for key in content_keys(digest, images)]
    await repository.add_garbage(session, uris, due_at=utc_now() + KEPT_AFTER_DELETION)
