"""How much room a project and a job take."""

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectInfo, ObjectStore, StorageError
from vision_api.db.session import Database
from vision_api.models import User
from vision_api.projects.access import get_project_for
from vision_api.training_jobs.access import get_job_for
from vision_api.training_jobs.downloads import StorageUnavailable
from vision_api.usage import repository
from vision_api.usage.schemas import JobSize, JobUsage, ProjectUsage, RowCounts
from vision_api.usage.sizes import measure


async def project_usage(session: AsyncSession, *, user: User, project_id: int, limit: int) -> ProjectUsage:
    """As rows have it, which costs no request to the storage. Raises NotFound."""
    await get_project_for(session, user, project_id)
    sums = await repository.sum_project(session, project_id)
    datasets_bytes = await repository.sum_datasets(session, project_id)
    biggest = await repository.list_biggest(session, project_id, limit=limit)
    return ProjectUsage(
        project_id=project_id,
        total_bytes=sums.total + sums.deleted + datasets_bytes,
        artifacts_bytes=sums.total,
        checkpoints_bytes=sums.checkpoints,
        datasets_bytes=datasets_bytes,
        deleted_bytes=sums.deleted,
        job_count=sums.job_count,
        jobs=[JobSize.model_validate(row) for row in biggest],
    )


async def job_usage(database: Database, store: ObjectStore, *, user: User, job_id: int) -> JobUsage:
    """As the storage lists it. Raises NotFound, StorageUnavailable."""
    async with database.snapshot() as session:
        job = await get_job_for(session, user, job_id)
        rows = RowCounts(**await repository.count_rows(session, job_id))
    objects = await _list(store, job.output_uri)
    async with database.snapshot() as session:  # after the list: what was listed may have got its name meanwhile
        kinds = await repository.list_kinds(session, job_id)
        garbage = await repository.list_garbage_below(session, job.output_uri)
    sizes = measure(objects, kinds, garbage)
    return JobUsage(
        job_id=job.id,
        name=job.name,
        status=job.status,
        total_bytes=sizes.total_bytes,
        checkpoints_bytes=sizes.checkpoints_bytes,
        files=sizes.files,
        superseded_bytes=sizes.superseded_bytes,
        unlisted_bytes=sizes.unlisted_bytes,
        database_rows=rows,
    )


async def _list(store: ObjectStore, uri: str) -> list[ObjectInfo]:
    if not store.contains(uri):
        return []
    try:
        return await anyio.to_thread.run_sync(lambda: list(store.list(store.key(uri))))
    except StorageError as error:
        raise StorageUnavailable("Object storage does not answer. Try again shortly.") from error
