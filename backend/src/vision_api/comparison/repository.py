"""Statements about experiments that are looked at together."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.pagination import Page, PageRequest, paginate
from vision_api.models import Artifact, JobStatus, MetricPoint, TrainingJob
from vision_api.training_jobs.reports import REPORT

BEST = "checkpoints/best"


async def list_results(session: AsyncSession, job_ids: Sequence[int]) -> Sequence[Artifact]:
    """The reports and the best checkpoints of some jobs."""
    is_result = or_(Artifact.name == REPORT, Artifact.name == BEST, Artifact.name.startswith(f"{BEST}."))
    wanted = select(Artifact).where(Artifact.job_id.in_(job_ids), is_result).order_by(Artifact.job_id, Artifact.name)
    return (await session.scalars(wanted)).all()


async def list_values_at(session: AsyncSession, job_id: int, step: int) -> dict[str, float | None]:
    """Every metric that a job told at one step."""
    point = MetricPoint
    rows = await session.execute(select(point.name, point.value).where(point.job_id == job_id, point.step == step))
    return {row.name: row.value for row in rows}


def ranked_jobs(
    project_id: int,
    *,
    task_type: str | None = None,
    dataset_digest: str | None = None,
    validation_split: str | None = None,
    framework: str | None = None,
    top: int | None = None,
) -> Select[Any]:
    """Rows of job, rank and how many there are in its group, without an order.

    A group is what was measured on the same images for the same task. Equal values share a rank. A filter by framework
    changes no rank.
    """
    job = TrainingJob
    is_ranked = (
        (job.project_id == project_id)
        & (job.status == JobStatus.COMPLETED)
        & job.deleted_at.is_(None)
        & job.dataset_digest.is_not(None)
        & job.primary_value.is_not(None)
    )
    of_group = [job.task_type, job.dataset_digest, job.validation_split]
    rank = func.rank().over(partition_by=of_group, order_by=job.primary_value.desc()).label("rank")
    size = func.count().over(partition_by=of_group).label("group_size")
    given = zip(of_group, (task_type, dataset_digest, validation_split), strict=True)
    narrowed = [column == value for column, value in given if value is not None]
    ranks = select(job.id, rank, size).where(is_ranked, *narrowed).subquery()
    wanted = select(job, ranks.c.rank, ranks.c.group_size).join(ranks, ranks.c.id == job.id)
    if framework is not None:
        wanted = wanted.where(job.framework == framework)
    if top is not None:
        wanted = wanted.where(ranks.c.rank <= top)
    return cast("Select[Any]", wanted)


async def page_ranked(session: AsyncSession, wanted: Select[Any], params: PageRequest) -> Page[Any]:
    """Group after group, the best first; of equal ones the newest."""
    job = TrainingJob
    keys = [job.task_type, job.dataset_digest, job.validation_split, job.primary_value, job.id]
    return await paginate(session, wanted, params, keys=keys)
