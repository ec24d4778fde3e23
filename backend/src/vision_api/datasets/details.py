"""What is known of one version: findings, numbers, pictures, changes."""

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from data_kit import DatasetStatistics, ObjectNotFound, ObjectStore
from vision_api.datasets.access import get_dataset_for
from vision_api.datasets.diffs import Content, diff_versions
from vision_api.datasets.previews import draw_preview
from vision_api.datasets.schemas import DiffRead, FindingRead
from vision_api.datasets.use_cases import get_version_of
from vision_api.db.session import Database
from vision_api.errors import Conflict, NotFound
from vision_api.models import DatasetVersion, User


async def _get_version(
    session: AsyncSession, user: User, dataset_id: int, number: int | None, *loaded: InstrumentedAttribute[object]
) -> DatasetVersion:
    version = await get_version_of(session, await get_dataset_for(session, user, dataset_id), number)
    if loaded:
        await session.refresh(version, [column.key for column in loaded])
    return version


def _digest_of(version: DatasetVersion) -> str:
    if version.digest is None:
        raise Conflict(f"Version {version.number} is {version.status}, not ready.")
    return version.digest


def _content_of(version: DatasetVersion) -> Content:
    images = {split: counts["images"] for split, counts in version.splits.items()}
    return Content(_digest_of(version), version.class_names, images)


async def list_findings(
    session: AsyncSession, *, user: User, dataset_id: int, version: int | None
) -> list[FindingRead]:
    """Errors first. Raises NotFound."""
    found = await _get_version(session, user, dataset_id, version, DatasetVersion.findings)
    findings = [FindingRead.model_validate(finding) for finding in found.findings]
    return sorted(findings, key=lambda finding: finding.severity != "error")


async def get_statistics(
    session: AsyncSession, *, user: User, dataset_id: int, version: int | None
) -> DatasetStatistics:
    """Raises NotFound, Conflict for a version that is not ready."""
    found = await _get_version(session, user, dataset_id, version, DatasetVersion.statistics)
    _digest_of(found)
    return DatasetStatistics.model_validate(found.statistics)


async def get_preview(
    database: Database,
    store: ObjectStore,
    *,
    user: User,
    dataset_id: int,
    version: int | None,
    split: str,
    index: int,
) -> bytes:
    """A JPEG. Raises NotFound, Conflict for a version that is not ready."""
    async with database.snapshot() as session:
        found = await _get_version(session, user, dataset_id, version)
    digest = _digest_of(found)
    try:
        return await anyio.to_thread.run_sync(draw_preview, store, digest, found.class_names, split, index)
    except ObjectNotFound as error:
        raise NotFound(f"`{split}` has no image {index}.") from error


async def get_diff(
    database: Database, store: ObjectStore, *, user: User, dataset_id: int, before: int, after: int
) -> DiffRead:
    """Raises NotFound, Conflict for a version that is not ready."""
    async with database.snapshot() as session:
        old = _content_of(await _get_version(session, user, dataset_id, before))
        new = _content_of(await _get_version(session, user, dataset_id, after))
    return await anyio.to_thread.run_sync(diff_versions, store, old, new)
