"""Statements about compared and ranked experiments."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from vision_api.kit.pagination import Page, PageRequest, paginate
from vision_api.models import Artifact, JobStatus, MetricPoint, TrainingJob
from vision_api.training_jobs.kinds import is_experiment
from vision_api.training_jobs.results.reports import REPORT

BEST = "checkpoints/best"


async def list_results(session: AsyncSession, job_ids: Sequence[int]) -> Sequence[Artifact]:
    """Return the reports and the best checkpoints of some jobs."""
    is_result = or_(Artifact.name == REPORT, Artifact.name == BEST, Artifact.name.startswith(f"{BEST}."))
    query = select(Artifact).where(Artifact.job_id.in_(job_ids), is_result).order_by(Artifact.job_id, Artifact.name)
    return (await session.scalars(query)).all()


async def list_values_at(session: AsyncSession, steps: Mapping[int, int]) -> dict[int, dict[str, float | None]]:
    """Return every metric that some jobs reported at one step: `steps` has the step of each job."""
    point = MetricPoint
    values: dict[int, dict[str, float | None]] = {job_id: {} for job_id in steps}
    if not steps:
        return values
    is_at_step = or_(*((point.job_id == job_id) & (point.step == step) for job_id, step in steps.items()))
    for row in await session.execute(select(point.job_id, point.name, point.value).where(is_at_step)):
        values[row.job_id][row.name] = row.value
    return values


_GROUP = ("task_type", "dataset_digest", "validation_split")
"""Columns that are equal for experiments measured on the same images for the same task."""


def _is_ranked(job: type[TrainingJob]) -> ColumnElement[bool]:
    """Return the condition of a ranked job. The status is a literal: a parameter would rule out the partial index."""
    return (
        is_experiment(job)
        & (job.status == literal_column(f"'{JobStatus.COMPLETED}'"))
        & job.deleted_at.is_(None)
        & job.dataset_digest.is_not(None)
        & job.primary_value.is_not(None)
    )


def _is_same_group(one: Any, other: Any) -> ColumnElement[bool]:
    return and_(*(getattr(one, name) == getattr(other, name) for name in _GROUP))


def ranked_jobs(
    project_id: int,
    *,
    task_type: str | None = None,
    dataset_digest: str | None = None,
    validation_split: str | None = None,
    framework: str | None = None,
    top: int | None = None,
) -> Select[TrainingJob]:
    """Select the ranked jobs of a project, unordered; with `top`, only the best of each group."""
    job = TrainingJob
    filters = {
        "task_type": task_type,
        "dataset_digest": dataset_digest,
        "validation_split": validation_split,
        "framework": framework,
    }
    query = select(job).where(job.project_id == project_id, _is_ranked(job))
    query = query.where(*(getattr(job, name) == value for name, value in filters.items() if value is not None))
    if top is not None:
        thresholds = _thresholds(project_id, top)
        is_among = thresholds.c.value.is_(None) | (job.primary_value >= thresholds.c.value)
        query = query.join(thresholds, _is_same_group(thresholds.c, job) & is_among)
    return query


def _thresholds(project_id: int, top: int) -> CTE:
    """Select the smallest value of the `top` best of each group; null for groups that have fewer."""
    job = TrainingJob
    columns = [getattr(job, name) for name in _GROUP]
    groups = select(*columns).where(job.project_id == project_id, _is_ranked(job)).distinct().subquery()
    of_group = select(job.primary_value).where(
        job.project_id == project_id, _is_ranked(job), _is_same_group(job, groups.c)
    )
    value = of_group.order_by(job.primary_value.desc()).offset(top - 1).limit(1).correlate(groups).scalar_subquery()
    return select(groups, value.label("value")).cte("thresholds").prefix_with("MATERIALIZED")


def _rank(job: type[TrainingJob]) -> ColumnElement[int]:
    """Return the rank within the whole group, regardless of filters. Equal values share a rank."""
    better = aliased(TrainingJob)
    is_better = (better.project_id == job.project_id) & (better.primary_value > job.primary_value)
    counted = select(func.count() + 1).where(_is_ranked(better), is_better, _is_same_group(better, job))
    return counted.correlate(job).scalar_subquery()


async def page_ranked(session: AsyncSession, query: Select[TrainingJob], params: PageRequest) -> Page[Any]:
    """Return a page of rows of job and rank, group by group, best first; of equal ones the newest first."""
    job = TrainingJob
    keys = [job.task_type, job.dataset_digest, job.validation_split, job.primary_value, job.id]
    return await paginate(session, query, params, keys=keys, beside=_rank)
