"""Use cases of usage: sizes as rows have them."""

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import TrainingJob, User
from vision_api.projects.access import get_project_for
from vision_api.training_jobs.access import get_job_for
from vision_api.usage import repository
from vision_api.usage.schemas import JobSize, ProjectUsage, RowCounts


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
        training_state_bytes=rows[0].all_state_bytes if rows else 0,
        datasets_bytes=datasets_bytes,
        models_bytes=models_bytes,
        deleted_bytes=deleted_bytes,
        job_count=rows[0].job_count if rows else 0,
        jobs=[JobSize.model_validate(row) for row in rows if not row.is_deleted],
    )


async def load_job_rows(session: AsyncSession, *, user: User, job_id: int) -> tuple[TrainingJob, RowCounts]:
    """Return a job, and the number of its rows in each table. Raises NotFound."""
    job = await get_job_for(session, user, job_id)
    return job, RowCounts(**await repository.count_rows(session, job_id))


async def load_object_fates(session: AsyncSession, *, job: TrainingJob) -> tuple[Mapping[str, str], Collection[str]]:
    """Return the kinds of the objects that rows of a job name, and the objects that are to be deleted."""
    kinds = await repository.list_kinds(session, job.id)
    return kinds, await repository.list_garbage_below(session, job.output_uri)
