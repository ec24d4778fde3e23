"""Statements about operations."""

from collections.abc import Collection, Sequence
from pathlib import PurePath

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import Artifact, Dataset, MetricPoint, TrainingJob
from vision_api.training_jobs.kinds import is_experiment, is_preflight
from vision_api.training_jobs.repository import is_visible
from vision_contracts import metric_names

NEWEST_TRAININGS = 50


async def list_operations(session: AsyncSession, job_id: int, *, limit: int) -> Sequence[TrainingJob]:
    """Return the operations on a training, newest first."""
    query = select(TrainingJob).where(TrainingJob.parent_id == job_id, is_visible())
    return (await session.scalars(query.order_by(TrainingJob.id.desc()).limit(limit))).all()


async def get_operation(session: AsyncSession, operation_id: int, *, parent_id: int | None) -> TrainingJob | None:
    """Return an operation on the training `parent_id`; without one, a pre-flight."""
    is_its = TrainingJob.parent_id == parent_id if parent_id is not None else is_preflight()
    return await session.scalar(select(TrainingJob).where(TrainingJob.id == operation_id, is_its, is_visible()))


async def dataset_name(session: AsyncSession, job: TrainingJob) -> str:
    """Return the name of a job's data set, or of its folder; empty where the data set is deleted."""
    if job.dataset_id is None:
        return PurePath(job.dataset_path or "").name
    dataset = await session.get(Dataset, job.dataset_id)
    return dataset.name if dataset is not None else ""


async def list_operation_artifacts(session: AsyncSession, operation_ids: Collection[int]) -> dict[int, list[Artifact]]:
    """Return the artifacts that each operation has made, whether they are listed under it or under its training."""
    operation, folder = TrainingJob, TrainingJob.output_uri + "/"
    is_theirs = or_(Artifact.job_id == operation.id, Artifact.job_id == operation.parent_id)
    is_under = func.substr(Artifact.uri, 1, func.length(folder)) == folder
    query = select(operation.id, Artifact).join(Artifact, is_theirs & is_under)
    query = query.where(operation.id.in_(operation_ids)).order_by(operation.id, Artifact.name)
    artifacts: dict[int, list[Artifact]] = {operation_id: [] for operation_id in operation_ids}
    for operation_id, artifact in await session.execute(query):
        artifacts[operation_id].append(artifact)
    return artifacts


async def list_last_values(session: AsyncSession, operation_ids: Collection[int]) -> dict[int, dict[str, float | None]]:
    """Return the metrics of each operation's last step."""
    point = MetricPoint
    steps = select(point.job_id, func.max(point.step).label("step")).where(point.job_id.in_(operation_ids))
    last = steps.group_by(point.job_id).subquery()
    is_last = (point.job_id == last.c.job_id) & (point.step == last.c.step)
    query = select(point.job_id, point.name, point.value).join(last, is_last).order_by(point.job_id, point.name)
    values: dict[int, dict[str, float | None]] = {operation_id: {} for operation_id in operation_ids}
    for row in await session.execute(query):
        values[row.job_id][row.name] = row.value
    return values


async def list_epoch_seconds(session: AsyncSession, framework: str, task_type: str) -> list[tuple[TrainingJob, float]]:
    """Return trainings, newest first, each with the seconds of its last epoch."""
    job, point = TrainingJob, MetricPoint
    last = select(func.max(point.step)).where(point.job_id == job.id, point.name == metric_names.EPOCH_SECONDS)
    query = (
        select(job, point.value)
        .join(point, (point.job_id == job.id) & (point.step == last.correlate(job).scalar_subquery()))
        .where(job.framework == framework, job.task_type == task_type, is_experiment())
        .where(point.name == metric_names.EPOCH_SECONDS, point.value > 0)
        .where(job.progress_steps > 0, job.environment.is_not(None))
        .order_by(job.id.desc())
        .limit(NEWEST_TRAININGS)
    )
    return [(row[0], row[1] or 0.0) for row in await session.execute(query)]
