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
    ModelVersion,
    RegisteredModel,
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


async def list_biggest(session: AsyncSession, project_id: int, *, limit: int) -> Sequence[Any]:
    """Rows of job_id, name, status, is_deleted, total_bytes, checkpoints_bytes and files, and on each the sums over
    all jobs of the project: job_count, artifacts_bytes, all_checkpoints_bytes and deleted_bytes. Deleted jobs come
    last.
    """
    objects, is_deleted = _objects_of(project_id), TrainingJob.deleted_at.is_not(None)
    jobs = (
        select(
            TrainingJob.id.label("job_id"),
            TrainingJob.name,
            TrainingJob.status,
            is_deleted.label("is_deleted"),
            _sum(objects.c.size).label("total_bytes"),
            _sum(objects.c.checkpoint).label("checkpoints_bytes"),
            func.count(objects.c.job_id).label("files"),
        )
        .join_from(TrainingJob, objects, TrainingJob.id == objects.c.job_id, isouter=True)
        .where(TrainingJob.project_id == project_id)
        .group_by(TrainingJob.id)
        .subquery()
    )
    sums = {
        "job_count": case((jobs.c.is_deleted, 0), else_=1),
        "artifacts_bytes": case((jobs.c.is_deleted, 0), else_=jobs.c.total_bytes),
        "all_checkpoints_bytes": case((jobs.c.is_deleted, 0), else_=jobs.c.checkpoints_bytes),
        "deleted_bytes": case((jobs.c.is_deleted, jobs.c.total_bytes), else_=0),
    }
    over_all = [cast(func.sum(column).over(), BigInteger).label(name) for name, column in sums.items()]
    order = (jobs.c.is_deleted, jobs.c.total_bytes.desc(), jobs.c.job_id.desc())
    return (await session.execute(select(jobs, *over_all).order_by(*order).limit(limit))).all()


async def sum_datasets(session: AsyncSession, project_id: int) -> int:
    """Contents that are stored, each once, and uploads that wait to be processed."""
    versions = select(DatasetVersion).join(Dataset, Dataset.id == DatasetVersion.dataset_id)
    own = versions.where(Dataset.project_id == project_id)
    contents = own.with_only_columns(func.max(DatasetVersion.size_bytes).label("size"))
    contents = contents.where(DatasetVersion.digest.is_not(None)).group_by(DatasetVersion.digest).subquery()
    uploads = own.with_only_columns(_sum(DatasetVersion.upload_bytes)).where(DatasetVersion.upload_uri.is_not(None))
    stored = (await session.execute(select(_sum(contents.c.size)))).scalar_one()
    return stored + (await session.execute(uploads)).scalar_one()


async def sum_models(session: AsyncSession, project_id: int) -> int:
    """The weights of registered models."""
    versions = select(_sum(ModelVersion.size_bytes)).join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
    return (await session.execute(versions.where(RegisteredModel.project_id == project_id))).scalar_one()


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
