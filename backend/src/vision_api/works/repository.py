"""Statements about works."""

from collections.abc import Sequence
from pathlib import PurePath

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import Artifact, Dataset, MetricPoint, TrainingJob
from vision_api.training_jobs.repository import is_visible
from vision_contracts import JobKind, metric_names

NEWEST_TRAININGS = 50


async def list_works(session: AsyncSession, job_id: int, *, limit: int) -> Sequence[TrainingJob]:
    """What was done with a training, newest first."""
    wanted = select(TrainingJob).where(TrainingJob.parent_id == job_id, is_visible())
    return (await session.scalars(wanted.order_by(TrainingJob.id.desc()).limit(limit))).all()


async def get_work(session: AsyncSession, work_id: int, *, parent_id: int | None) -> TrainingJob | None:
    """One of them, or a pre-flight, which has no parent."""
    is_its = TrainingJob.parent_id == parent_id if parent_id is not None else TrainingJob.kind == JobKind.PREFLIGHT
    return await session.scalar(select(TrainingJob).where(TrainingJob.id == work_id, is_its, is_visible()))


async def dataset_name(session: AsyncSession, job: TrainingJob) -> str:
    """What people call the data set, or its folder; empty where it is gone."""
    if job.dataset_id is None:
        return PurePath(job.dataset_path or "").name
    dataset = await session.get(Dataset, job.dataset_id)
    return dataset.name if dataset is not None else ""


async def list_made(session: AsyncSession, work: TrainingJob) -> Sequence[Artifact]:
    """The files that a work has made, whether they are its own or its training's."""
    is_under = Artifact.uri.startswith(f"{work.output_uri}/", autoescape=True)
    owners = [work.id, *([work.parent_id] if work.parent_id is not None else [])]
    wanted = select(Artifact).where(Artifact.job_id.in_(owners), is_under)
    return (await session.scalars(wanted.order_by(Artifact.name))).all()


async def last_values(session: AsyncSession, work_id: int) -> dict[str, float | None]:
    """The metrics of a work's last step."""
    last = select(func.max(MetricPoint.step)).where(MetricPoint.job_id == work_id).scalar_subquery()
    wanted = select(MetricPoint.name, MetricPoint.value).where(MetricPoint.job_id == work_id, MetricPoint.step == last)
    return {row.name: row.value for row in await session.execute(wanted.order_by(MetricPoint.name))}


async def list_epoch_seconds(session: AsyncSession, framework: str, task_type: str) -> list[tuple[TrainingJob, float]]:
    """Each training and the seconds of its last epoch, the newest first."""
    job, point = TrainingJob, MetricPoint
    last = select(func.max(point.step)).where(point.job_id == job.id, point.name == metric_names.EPOCH_SECONDS)
    wanted = (
        select(job, point.value)
        .join(point, (point.job_id == job.id) & (point.step == last.correlate(job).scalar_subquery()))
        .where(job.framework == framework, job.task_type == task_type, job.kind == JobKind.TRAIN)
        .where(point.name == metric_names.EPOCH_SECONDS, point.value > 0)
        .where(job.progress_steps > 0, job.environment.is_not(None))
        .order_by(job.id.desc())
        .limit(NEWEST_TRAININGS)
    )
    return [(row[0], row[1] or 0.0) for row in await session.execute(wanted)]
