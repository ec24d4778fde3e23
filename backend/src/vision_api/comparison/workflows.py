"""Workflow of comparisons: read rows, then reports from storage."""

from collections.abc import Sequence

from data_kit import ObjectStore
from vision_api.catalog.catalog import Catalog
from vision_api.catalog.queries import find_model
from vision_api.comparison import use_cases
from vision_api.comparison.compare import compare_classes, compare_curves, compare_metrics, compare_settings
from vision_api.comparison.compared_job import ComparedJob
from vision_api.comparison.grouping import group, reasons
from vision_api.comparison.schemas import Comparison
from vision_api.comparison.serializers import read_compared_job
from vision_api.comparison.use_cases import JobRows
from vision_api.db.session import Database
from vision_api.errors import Invalid
from vision_api.models import User
from vision_api.training_jobs.results.reports import find_report

FEWEST, MOST = 2, 10


async def compare(
    database: Database,
    *,
    store: ObjectStore,
    catalog: Catalog,
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
    async with database.snapshot() as session:
        loaded = await use_cases.load_compared_jobs(session, user=user, job_ids=unique_ids, max_points=max_points)
    compared_jobs = [await _add_card_and_report(store, catalog, rows) for rows in loaded]
    found = reasons(compared_jobs)
    return Comparison(
        comparable=not found,
        reasons=found,
        groups=group(compared_jobs),
        jobs=[read_compared_job(compared_job) for compared_job in compared_jobs],
        settings=compare_settings(compared_jobs),
        metrics=compare_metrics(compared_jobs),
        curves=compare_curves(compared_jobs, names),
        classes=compare_classes(compared_jobs, split),
    )


async def _add_card_and_report(store: ObjectStore, catalog: Catalog, rows: JobRows) -> ComparedJob:
    job = rows.job
    return ComparedJob(
        job=job,
        card=find_model(catalog, job.framework, job.model_name),
        best=rows.best,
        best_values=rows.best_values,
        points=rows.points,
        report=await find_report(store, job, rows.report),
    )
