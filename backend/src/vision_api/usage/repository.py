"""Statements about how much room rows and their files take."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from vision_api.models import (
    Artifact,
    Dataset,
    DatasetVersion,
    GarbageObject,
    JobEvent,
    LogLine,
    MetricPoint,
    TrainingJob,
)
from vision_contracts import ArtifactKind


def _sum(column: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[int]:
    """PostgreSQL adds 64-bit numbers up to a decimal."""
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


def _objects_of(project_id: int) -> FromClause:
    """Each object of a project's jobs once, whatever names it has."""
    checkpoint = case((Artifact.kind == ArtifactKind.CHECKPOINT, Artifact.size_bytes), else_=0)
    sizes = (func.max(Artifact.size_bytes).label("size"), func.max(checkpoint).label("checkpoint"))
    objects = select(Artifact.job_id, *sizes).join(TrainingJob, TrainingJob.id == Artifact.job_id)
    return objects.where(TrainingJob.project_id == project_id).group_by(Artifact.job_id, Artifact.uri).subquery()


async def sum_project(session: AsyncSession, project_id: int) -> Any:
    """One row: job_count, total, checkpoints (all of visible jobs) and deleted."""
    objects, is_visible = _objects_of(project_id), TrainingJob.deleted_at.is_(None)
    counted = select(func.count()).where(TrainingJob.project_id == project_id, is_visible).scalar_subquery()
    sums = select(
        counted.label("job_count"),
        _sum(case((is_visible, objects.c.size), else_=0)).label("total"),
        _sum(case((is_visible, objects.c.checkpoint), else_=0)).label("checkpoints"),
        _sum(case((is_visible, 0), else_=objects.c.size)).label("deleted"),
    )
    return (await session.execute(sums.join_from(objects, TrainingJob, TrainingJob.id == objects.c.job_id))).one()


async def list_biggest(session: AsyncSession, project_id: int, *, limit: int) -> Sequence[Any]:
    """Rows of job_id, name, status, total_bytes, checkpoints_bytes and files."""
    objects = _objects_of(project_id)
    total = _sum(objects.c.size).label("total_bytes")
    columns = (TrainingJob.id.label("job_id"), TrainingJob.name, TrainingJob.status, total)
    sizes = select(
        *columns,
        _sum(objects.c.checkpoint).label("checkpoints_bytes"),
        func.count(objects.c.job_id).label("files"),
    )
    of_jobs = sizes.join_from(TrainingJob, objects, TrainingJob.id == objects.c.job_id, isouter=True)
    visible = of_jobs.where(TrainingJob.project_id == project_id, TrainingJob.deleted_at.is_(None))
    biggest = visible.group_by(TrainingJob.id).order_by(total.desc(), TrainingJob.id.desc()).limit(limit)
    return (await session.execute(biggest)).all()


async def sum_datasets(session: AsyncSession, project_id: int) -> int:
    """Contents that are stored, each once, and uploads that wait to be processed."""
    versions = select(DatasetVersion).join(Dataset, Dataset.id == DatasetVersion.dataset_id)
    own = versions.where(Dataset.project_id == project_id)
    contents = own.with_only_columns(func.max(DatasetVersion.size_bytes).label("size"))
    contents = contents.where(DatasetVersion.digest.is_not(None)).group_by(DatasetVersion.digest).subquery()
    uploads = own.with_only_columns(_sum(DatasetVersion.upload_bytes)).where(DatasetVersion.upload_uri.is_not(None))
    stored = (await session.execute(select(_sum(contents.c.size)))).scalar_one()
    return stored + (await session.execute(uploads)).scalar_one()


async def list_kinds(session: AsyncSession, job_id: int) -> dict[str, str]:
    """The kind of each object of a job that has a name."""
    rows = await session.execute(select(Artifact.uri, Artifact.kind).where(Artifact.job_id == job_id))
    return {row.uri: row.kind for row in rows}


async def list_garbage_below(session: AsyncSession, uri: str) -> set[str]:
    """Objects in a folder that are to be deleted."""
    below = GarbageObject.uri.startswith(f"{uri}/", autoescape=True)
    return set(await session.scalars(select(GarbageObject.uri).where(below)))


async def count_rows(session: AsyncSession, job_id: int) -> dict[str, int]:
    """What a job has in each of the tables that may grow long."""
    tables = {"events": JobEvent, "log_lines": LogLine, "metric_points": MetricPoint}
    return {
        name: (await session.execute(select(func.count()).where(table.job_id == job_id))).scalar_one()
        for name, table in tables.items()
    }
