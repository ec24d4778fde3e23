"""Usage of a project and of a job."""

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectInfo, ObjectStore
from vision_api.db.session import Database
from vision_api.models import User
from vision_api.projects.access import get_project_for
from vision_api.training_jobs.access import get_job_for
from vision_api.usage import repository
from vision_api.usage.schemas import JobSize, JobUsage, ProjectUsage, RowCounts
from vision_api.usage.sizes import measure


async def project_usage(session: AsyncSession, *, user: User, project_id: int, limit: int) -> ProjectUsage:
    """Return the usage of a project by its rows, without a request to the storage. Raises NotFound."""
    await get_project_for(session, user, project_id)
    rows = await repository.list_largest_jobs(session, project_id, limit=limit)
    datasets_bytes = await repository.sum_datasets(session, project_id)
    models_bytes = await repository.sum_models(session, project_id)
    artifacts_bytes, deleted_bytes = (rows[0].artifacts_bytes, rows[0].deleted_bytes) if rows else (0, 0)
    return ProjectUsage(
        project_id=project_id,
        total_bytes=artifacts_bytes + deleted_bytes + datasets_bytes + models_bytes,
        artifacts_bytes=artifacts_bytes,
        checkpoints_bytes=rows[0].all_checkpoints_bytes if rows else 0,
        datasets_bytes=datasets_bytes,
        models_bytes=models_bytes,
        deleted_bytes=deleted_bytes,
        job_count=rows[0].job_count if rows else 0,
        jobs=[JobSize.model_validate(row) for row in rows if not row.is_deleted],
    )


async def job_usage(database: Database, store: ObjectStore, *, user: User, job_id: int) -> JobUsage:
    """Return the usage of a job as the storage lists it. Raises NotFound, StorageError."""
    async with database.snapshot() as session:
        job = await get_job_for(session, user, job_id)
        rows = RowCounts(**await repository.count_rows(session, job_id))
    objects = await _list(store, job.output_uri)
    async with database.snapshot() as session:  # after the listing: a listed object may have got its row meanwhile
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
    return await anyio.to_thread.run_sync(lambda: list(store.list(store.key(uri))))
