"""Resolution of the data set that a job names to the archive that a training service downloads."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.datasets import repository
from vision_api.datasets.access import get_dataset_for
from vision_api.errors import Invalid, NotFound
from vision_api.models import DatasetStatus, User
from vision_contracts import DatasetFormat, DatasetRef, TaskType


@dataclass(frozen=True)
class ResolvedDataset:
    """One version, ready to be trained on."""

    ref: DatasetRef
    version: int
    is_val_split_off: bool
    """True if the training splits its validation images off itself, by its seed."""


async def resolve_for_job(
    session: AsyncSession,
    user: User,
    *,
    dataset_id: int,
    version: int | None,
    project_id: int,
    task_type: TaskType,
) -> ResolvedDataset:
    """Return the version of that number, or the newest that is ready.

    Raises Invalid: no such data set for this user, one of another project, none ready, or none for this task.
    """
    try:
        dataset = await get_dataset_for(session, user, dataset_id)
    except NotFound as error:
        raise Invalid(f"There is no data set {dataset_id}, or it is not yours.", field="dataset_id") from error
    if dataset.project_id not in (None, project_id):
        raise Invalid(
            f"Data set {dataset_id} belongs to another project: its members may not be this project's.",
            field="dataset_id",
        )
    found = await repository.get_ready_version(session, dataset_id, version)
    if found is None or found.archive_uri is None or found.format is None:
        raise Invalid(
            await _not_ready_reason(session, dataset_id, version),
            code="dataset_invalid",
            field="dataset_id" if version is None else "dataset_version",
        )
    if task_type not in found.task_types:
        raise Invalid(
            f"Data set {dataset_id} cannot train {task_type}; it can train {', '.join(found.task_types)}.",
            code="dataset_invalid",
            field="dataset_id",
        )
    ref = DatasetRef(uri=found.archive_uri, format=DatasetFormat(found.format), digest=found.digest)
    return ResolvedDataset(ref, found.number, found.is_val_split_off is not False)


async def _not_ready_reason(session: AsyncSession, dataset_id: int, version: int | None) -> str:
    versions = await repository.list_versions(session, dataset_id)
    candidates = [each for each in versions if version in (None, each.number)]
    if any(each.status == DatasetStatus.PROCESSING for each in candidates):
        return f"Data set {dataset_id} is still being checked. Create the experiment when its status is `ready`."
    which = f"no version {version}" if version is not None else "no version"
    return f"Data set {dataset_id} has {which} that is ready. See GET /api/v1/datasets/{dataset_id}/findings."
