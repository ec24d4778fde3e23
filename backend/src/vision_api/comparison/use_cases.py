"""Compare and rank experiments."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore
from vision_api.catalog.catalog import Catalog
from vision_api.catalog.use_cases import find_model
from vision_api.comparison import repository
from vision_api.comparison.compare import compare_classes, compare_curves, compare_metrics, compare_settings
from vision_api.comparison.compared_job import ComparedJob, latency_seconds, wall_seconds
from vision_api.comparison.grouping import group, reasons
from vision_api.comparison.schemas import ComparedJobRead, Comparison, Cost, LeaderboardEntry, ReportRead
from vision_api.db.session import Database
from vision_api.errors import Invalid
from vision_api.kit.pagination import Page, PageRequest
from vision_api.models import TrainingJob, User
from vision_api.training_jobs.access import list_trainings_for
from vision_api.training_jobs.repository import list_points
from vision_api.training_jobs.results.reports import REPORT, FoundReport, find_report
from vision_api.training_jobs.serializers import read_primary_metric

FEWEST, MOST = 2, 10


async def compare(
    database: Database,
    store: ObjectStore,
    catalog: Catalog,
    *,
    user: User,
    job_ids: Sequence[int],
    split: str,
    names: Sequence[str],
    max_points: int,
) -> Comparison:
    """Compare 2 to 10 experiments. Raises Invalid for another number, NotFound for one that `user` may not see."""
    unique_ids = list(dict.fromkeys(job_ids))
    if not FEWEST <= len(unique_ids) <= MOST:
        raise Invalid(f"Name {FEWEST} to {MOST} different experiments; these are {len(unique_ids)}.", field="ids")
    compared_jobs = await _load_compared_jobs(
        database, store, catalog, user=user, job_ids=unique_ids, max_points=max_points
    )
    found = reasons(compared_jobs)
    return Comparison(
        comparable=not found,
        reasons=found,
        groups=group(compared_jobs),
        jobs=[_read_compared_job(compared_job) for compared_job in compared_jobs],
        settings=compare_settings(compared_jobs),
        metrics=compare_metrics(compared_jobs),
        curves=compare_curves(compared_jobs, names),
        classes=compare_classes(compared_jobs, split),
    )


async def _load_compared_jobs(
    database: Database, store: ObjectStore, catalog: Catalog, *, user: User, job_ids: Sequence[int], max_points: int
) -> list[ComparedJob]:
    """Load the experiments in the order of `job_ids`. The number of statements does not depend on their number."""
    async with database.snapshot() as session:
        jobs = await list_trainings_for(session, user, job_ids, action="compared")
        results = {(each.job_id, each.name == REPORT): each for each in await repository.list_results(session, job_ids)}
        points = await list_points(session, job_ids, names=None, after_step=None, max_points=max_points)
        best = {job_id: each for (job_id, is_report), each in results.items() if not is_report}
        best_steps = {job_id: each.step for job_id, each in best.items() if each.step is not None}
        best_values = await repository.list_values_at(session, best_steps)
    curves = {job_id: list(rows) for job_id, rows in groupby(points, key=lambda row: row.job_id)}
    return [
        ComparedJob(
            job=job,
            card=find_model(catalog, job.framework, job.model_name),
            best=best.get(job.id),
            best_values=best_values.get(job.id, {}),
            points=curves.get(job.id, []),
            report=await find_report(store, job, results.get((job.id, True))),
        )
        for job in jobs
    ]


def _read_compared_job(compared_job: ComparedJob) -> ComparedJobRead:
    job, best = compared_job.job, compared_job.best
    steps = compared_job.steps_per_epoch
    own = ("report", "cost", "primary_metric", "best_epoch")
    plain = {name: getattr(job, name) for name in ComparedJobRead.model_fields if name not in own}
    return ComparedJobRead(
        **plain,
        primary_metric=read_primary_metric(job),
        best_epoch=round(best.step / steps, 4) if best and best.step is not None and steps else None,
        report=_read_report(compared_job.report),
        cost=_cost(compared_job),
    )


def _read_report(found: FoundReport) -> ReportRead:
    report = found.report
    return ReportRead(
        state=found.state,
        message=found.message,
        epoch=report.epoch if report else None,
        images={split: measured.images for split, measured in report.splits.items()} if report else {},
    )


def _cost(compared_job: ComparedJob) -> Cost:
    job, card, best = compared_job.job, compared_job.card, compared_job.best
    report = compared_job.report.report
    speed = report.speed if report else None
    return Cost(
        wall_seconds=wall_seconds(job),
        epochs=job.progress_epoch,
        epoch_seconds=compared_job.epoch_seconds,
        params=speed.parameters if speed else card.params if card else None,
        gmacs=card.gmacs if card else None,
        checkpoint_bytes=best.size_bytes if best else None,
        latency_seconds=latency_seconds(speed),
        speed=speed,
        device=(job.environment or {}).get("device"),
    )


async def page_leaderboard(
    session: AsyncSession, *, query: Select[TrainingJob], params: PageRequest
) -> Page[LeaderboardEntry]:
    """Return a page of `repository.ranked_jobs`."""
    return (await repository.page_ranked(session, query, params)).map(_read_entry)


def _read_entry(row: Any) -> LeaderboardEntry:
    job, rank = row
    own = ("rank", "job_id", "primary_metric", "wall_seconds")
    plain = {name: getattr(job, name) for name in LeaderboardEntry.model_fields if name not in own}
    return LeaderboardEntry(
        **plain,
        rank=rank,
        job_id=job.id,
        primary_metric=read_primary_metric(job),
        wall_seconds=wall_seconds(job),
    )
