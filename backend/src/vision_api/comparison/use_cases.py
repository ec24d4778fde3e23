"""Use cases of comparisons: load what is compared, and rank experiments."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.comparison import repository
from vision_api.comparison.schemas import LeaderboardEntry
from vision_api.comparison.serializers import read_entry
from vision_api.kit.pagination import Page, PageRequest
from vision_api.models import Artifact, TrainingJob, User
from vision_api.training_jobs.access import list_trainings_for
from vision_api.training_jobs.repository import list_points
from vision_api.training_jobs.results.reports import REPORT


@dataclass(frozen=True)
class JobRows:
    """Rows about one compared experiment."""

    job: TrainingJob
    report: Artifact | None
    best: Artifact | None
    best_values: dict[str, float | None]
    points: Sequence[Any]


async def load_compared_jobs(
    session: AsyncSession, *, user: User, job_ids: Sequence[int], max_points: int
) -> list[JobRows]:
    """Load the rows about some experiments, in the order of `job_ids`. Raises NotFound.

    The number of statements does not depend on their number.
    """
    jobs = await list_trainings_for(session, user, job_ids, action="compared")
    results = {(each.job_id, each.name == REPORT): each for each in await repository.list_results(session, job_ids)}
    points = await list_points(session, job_ids, names=None, after_step=None, max_points=max_points)
    best = {job_id: each for (job_id, is_report), each in results.items() if not is_report}
    best_steps = {job_id: each.step for job_id, each in best.items() if each.step is not None}
    best_values = await repository.list_values_at(session, best_steps)
    curves = {job_id: list(rows) for job_id, rows in groupby(points, key=lambda row: row.job_id)}
    return [
        JobRows(
            job=job,
            report=results.get((job.id, True)),
            best=best.get(job.id),
            best_values=best_values.get(job.id, {}),
            points=curves.get(job.id, []),
        )
        for job in jobs
    ]


async def page_leaderboard(
    session: AsyncSession, *, query: Select[TrainingJob], params: PageRequest
) -> Page[LeaderboardEntry]:
    """Return a page of `repository.ranked_jobs`."""
    return (await repository.page_ranked(session, query, params)).map(read_entry)
