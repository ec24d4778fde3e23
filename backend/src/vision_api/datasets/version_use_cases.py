"""Use cases of one version: findings, statistics, previews, differences."""

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from data_kit import DatasetStatistics
from vision_api.datasets.access import get_dataset_for, get_version_of
from vision_api.datasets.diff import ComparedVersion
from vision_api.datasets.previews.messages import Legend
from vision_api.datasets.previews.preview import Preview
from vision_api.datasets.schemas import FindingRead
from vision_api.errors import Conflict, NotFound
from vision_api.models import DatasetVersion, User
from vision_contracts import TaskType


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


async def list_findings(
    session: AsyncSession, *, user: User, dataset_id: int, version: int | None
) -> list[FindingRead]:
    """Return the findings of a version, errors first. Raises NotFound."""
    found = await _get_version(session, user, dataset_id, version, DatasetVersion.findings)
    findings = [FindingRead.model_validate(finding) for finding in found.findings]
    return sorted(findings, key=lambda finding: finding.severity != "error")


async def get_statistics(
    session: AsyncSession, *, user: User, dataset_id: int, version: int | None
) -> DatasetStatistics:
    """Return the statistics of a version. Raises NotFound, Conflict for a version that is not ready."""
    found = await _get_version(session, user, dataset_id, version, DatasetVersion.statistics)
    _digest_of(found)
    return DatasetStatistics.model_validate(found.statistics)


async def find_preview(
    session: AsyncSession, *, user: User, dataset_id: int, version: int | None, split: str, index: int, size: int
) -> Preview:
    """Find what the preview of one image is drawn from. Raises NotFound, Conflict for a version that is not ready."""
    found = await _get_version(session, user, dataset_id, version)
    digest = _digest_of(found)
    images = found.splits.get(split, {"images": 0})["images"]
    if index >= images:
        held = ", ".join(f"`{name}` {counts['images']}" for name, counts in found.splits.items())
        raise NotFound(f"`{split}` has no image {index}: {held} images, counted from 0.")
    is_oriented = TaskType.ORIENTED_OBJECT_DETECTION in found.task_types
    return Preview(digest, Legend(found.class_names, found.skeleton, is_oriented), split, index, size)


async def get_compared_version(session: AsyncSession, *, user: User, dataset_id: int, version: int) -> ComparedVersion:
    """Return what a version is compared by. Raises NotFound, Conflict for a version that is not ready."""
    found = await _get_version(session, user, dataset_id, version)
    images = {split: counts["images"] for split, counts in found.splits.items()}
    return ComparedVersion(_digest_of(found), found.class_names, images)
