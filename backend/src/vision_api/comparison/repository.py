"""Statements about experiments that are looked at together."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from vision_api.kit.pagination import Page, PageRequest, paginate
from vision_api.models import Artifact, JobStatus, MetricPoint, TrainingJob
from vision_api.training_jobs.results.reports import REPORT
from vision_contracts import JobKind

BEST = "checkpoints/best"


async def list_results(session: AsyncSession, job_ids: Sequence[int]) -> Sequence[Artifact]:
    """The reports and the best checkpoints of some jobs."""
    is_result = or_(Artifact.name == REPORT, Artifact.name == BEST, Artifact.name.startswith(f"{BEST}."))
    wanted = select(Artifact).where(Artifact.job_id.in_(job_ids), is_result).order_by(Artifact.job_id, Artifact.name)
    return (await session.scalars(wanted)).all()


async def list_values_at(session: AsyncSession, steps: Mapping[int, int]) -> dict[int, dict[str, float | None]]:
    """Every metric that some jobs told, each at one step: `steps` has the step of each job."""
    point = MetricPoint
    values: dict[int, dict[str, float | None]] = {job_id: {} for job_id in steps}
    if not steps:
        return values
    is_wanted = or_(*((point.job_id == job_id) & (point.step == step) for job_id, step in steps.items()))
    for row in await session.execute(select(point.job_id, point.name, point.value).where(is_wanted)):
        values[row.job_id][row.name] = row.value
    return values


_GROUP = ("task_type", "dataset_digest", "validation_split")
"""What was measured on the same images for the same task."""


def _is_ranked(job: type[TrainingJob]) -> ColumnElement[bool]:
    """The status is written out: with a parameter in its place the partial index could not be used."""
    return (
        (job.kind == JobKind.TRAIN)
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
    """The jobs that have a place on the leaderboard, without an order; with `top`, the best ones of each group."""
    job = TrainingJob
    given = {"task_type": task_type, "dataset_digest": dataset_digest, "validation_split": validation_split}
    equals = given | {"framework": framework}
    wanted = select(job).where(job.project_id == project_id, _is_ranked(job))
    wanted = wanted.where(*(getattr(job, name) == value for name, value in equals.items() if value is not None))
    if top is not None:
        least = _least(project_id, top)
        is_among = least.c.value.is_(None) | (job.primary_value >= least.c.value)
        wanted = wanted.join(least, _is_same_group(least.c, job) & is_among)
    return wanted


def _least(project_id: int, top: int) -> CTE:
    """Of each group, the value that the `top` best ones have at least; null where there are fewer."""
    job = TrainingJob
    columns = [getattr(job, name) for name in _GROUP]
    groups = select(*columns).where(job.project_id == project_id, _is_ranked(job)).distinct().subquery()
    of_group = select(job.primary_value).where(
        job.project_id == project_id, _is_ranked(job), _is_same_group(job, groups.c)
    )
    value = of_group.order_by(job.primary_value.desc()).offset(top - 1).limit(1).correlate(groups).scalar_subquery()
    return select(groups, value.label("value")).cte("least").prefix_with("MATERIALIZED")


def _rank(job: type[TrainingJob]) -> ColumnElement[int]:
    """Within the group, whatever else a list is filtered by. Equal values share one."""
    better = aliased(TrainingJob)
    is_better = (better.project_id == job.project_id) & (better.primary_value > job.primary_value)
    counted = select(func.count() + 1).where(_is_ranked(better), is_better, _is_same_group(better, job))
    return counted.correlate(job).scalar_subquery()


async def page_ranked(session: AsyncSession, wanted: Select[TrainingJob], params: PageRequest) -> Page[Any]:
    """Rows of job and rank, group after group, the best first; of equal ones the newest."""
    job = TrainingJob
    keys = [job.task_type, job.dataset_digest, job.validation_split, job.primary_value, job.id]
    return await paginate(session, wanted, params, keys=keys, beside=_rank)
