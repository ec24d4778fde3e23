"""Conversions of compared and ranked experiments to what the API returns."""

from typing import Any

from vision_api.comparison.compared_job import ComparedJob, latency_seconds, wall_seconds
from vision_api.comparison.schemas import ComparedJobRead, Cost, LeaderboardEntry, ReportRead
from vision_api.training_jobs.results.reports import FoundReport
from vision_api.training_jobs.serializers import read_primary_metric


def read_compared_job(compared_job: ComparedJob) -> ComparedJobRead:
    """Convert an experiment of a comparison."""
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


def read_entry(row: Any) -> LeaderboardEntry:
    """Convert a row of job and rank."""
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
