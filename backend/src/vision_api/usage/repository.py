"""Statements about the sizes of rows and their objects, and about the objects that rows name."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, FromClause, case, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from vision_api.models import (
    Artifact,
    AuthSession,
    Dataset,
    DatasetVersion,
    GarbageObject,
    JobEvent,
    LogLine,
    MetricPoint,
    ModelVersion,
    Project,
    RegisteredModel,
    TrainingJob,
)
from vision_api.usage.known_objects import KnownJob, KnownObjects
from vision_contracts import ArtifactKind


def _sum(column: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[int]:
    """Return the sum as a 64-bit number; PostgreSQL would return a decimal."""
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


def _objects_of(project_id: int) -> FromClause:
    """Select each object of a project's jobs once, even if several artifacts name it."""
    checkpoint = case((Artifact.kind == ArtifactKind.CHECKPOINT, Artifact.size_bytes), else_=0)
    state = case((Artifact.kind == ArtifactKind.TRAINING_STATE, Artifact.size_bytes), else_=0)
    sizes = (
        func.max(Artifact.size_bytes).label("size"),
        func.max(checkpoint).label("checkpoint"),
        func.max(state).label("state"),
    )
    objects = select(Artifact.job_id, *sizes).join(TrainingJob, TrainingJob.id == Artifact.job_id)
    return objects.where(TrainingJob.project_id == project_id).group_by(Artifact.job_id, Artifact.uri).subquery()


async def list_largest_jobs(session: AsyncSession, project_id: int, *, limit: int) -> Sequence[Any]:
    """Return rows of job_id, name, status, is_deleted, total_bytes, checkpoints_bytes, training_state_bytes and files,
    and in each the sums over all jobs of the project: job_count, artifacts_bytes, all_checkpoints_bytes,
    all_state_bytes and deleted_bytes. Deleted jobs come last.
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
            _sum(objects.c.state).label("training_state_bytes"),
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
        "all_state_bytes": case((jobs.c.is_deleted, 0), else_=jobs.c.training_state_bytes),
        "deleted_bytes": case((jobs.c.is_deleted, jobs.c.total_bytes), else_=0),
    }
    over_all = [cast(func.sum(column).over(), BigInteger).label(name) for name, column in sums.items()]
    order = (jobs.c.is_deleted, jobs.c.total_bytes.desc(), jobs.c.job_id.desc())
    return (await session.execute(select(jobs, *over_all).order_by(*order).limit(limit))).all()


async def sum_datasets(session: AsyncSession, project_id: int) -> int:
    """Return the bytes of stored contents, each counted once, and of uploads that wait to be processed."""
    versions = select(DatasetVersion).join(Dataset, Dataset.id == DatasetVersion.dataset_id)
    own = versions.where(Dataset.project_id == project_id)
    contents = own.with_only_columns(func.max(DatasetVersion.size_bytes).label("size"))
    contents = contents.where(DatasetVersion.digest.is_not(None)).group_by(DatasetVersion.digest).subquery()
    uploads = own.with_only_columns(_sum(DatasetVersion.upload_bytes)).where(DatasetVersion.upload_uri.is_not(None))
    stored = (await session.execute(select(_sum(contents.c.size)))).scalar_one()
    return stored + (await session.execute(uploads)).scalar_one()


async def sum_models(session: AsyncSession, project_id: int) -> int:
    """Return the bytes of the weights of registered models."""
    versions = select(_sum(ModelVersion.size_bytes)).join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
    return (await session.execute(versions.where(RegisteredModel.project_id == project_id))).scalar_one()


async def list_kinds(session: AsyncSession, job_id: int) -> dict[str, str]:
    """Return the kinds of a job's artifacts by URI."""
    rows = await session.execute(select(Artifact.uri, Artifact.kind).where(Artifact.job_id == job_id))
    return {row.uri: row.kind for row in rows}


async def list_garbage_below(session: AsyncSession, uri: str) -> set[str]:
    """Return the URIs below `uri` that are to be deleted."""
    below = GarbageObject.uri.startswith(f"{uri}/", autoescape=True)
    return set(await session.scalars(select(GarbageObject.uri).where(below)))


async def count_rows(session: AsyncSession, job_id: int) -> dict[str, int]:
    """Return the number of a job's rows in each of the tables that may grow large."""
    tables = {"events": JobEvent, "log_lines": LogLine, "metric_points": MetricPoint}
    return {
        name: (await session.execute(select(func.count()).where(table.job_id == job_id))).scalar_one()
        for name, table in tables.items()
    }


async def load_known_objects(session: AsyncSession) -> KnownObjects:
    """Load all known objects with a fixed number of statements."""
    known = KnownObjects()
    known.projects = {row.id: row.name for row in await session.execute(select(Project.id, Project.name))}
    job = TrainingJob
    columns = (job.job_uid, job.id, job.name, job.status, job.project_id, job.deleted_at)
    for uid, job_id, name, status, project_id, deleted_at in await session.execute(select(*columns)):
        known.jobs[str(uid)] = KnownJob(job_id, name, status, project_id if deleted_at is None else None)
    artifacts = select(Artifact.job_id, Artifact.uri, Artifact.created_at, Artifact.kind)
    for job_id, uri, created_at, kind in await session.execute(artifacts):
        known.kinds[uri] = kind
        known.artifacts.append((job_id, uri, created_at))
    known.garbage = set(await session.scalars(select(GarbageObject.uri)))
    versions = select(DatasetVersion.digest, Dataset.project_id).join(Dataset, Dataset.id == DatasetVersion.dataset_id)
    for digest, project_id in await session.execute(versions.order_by(Dataset.id)):
        if digest is not None:
            known.digests.setdefault(digest, project_id)
    weights = select(ModelVersion.uid, RegisteredModel.project_id)
    weights = weights.join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
    known.models = {str(uid): project_id for uid, project_id in await session.execute(weights)}
    known.database_bytes = await _size_of_database(session)
    known.last_activity_at = await _last_activity_at(session)
    return known


async def has_job(session: AsyncSession, job_uid: UUID) -> bool:
    """Return whether there is a row of the job, deleted or not."""
    return await session.scalar(select(TrainingJob.id).where(TrainingJob.job_uid == job_uid)) is not None


async def _size_of_database(session: AsyncSession) -> int:
    """Return the size of the database on its disk. SQLite keeps freed pages for later rows."""
    if session.get_bind().dialect.name == "postgresql":
        return (await session.execute(select(func.pg_database_size(func.current_database())))).scalar_one()
    pages = (await session.execute(text("PRAGMA page_count"))).scalar_one()
    return pages * (await session.execute(text("PRAGMA page_size"))).scalar_one()


async def _last_activity_at(session: AsyncSession) -> datetime | None:
    columns = (TrainingJob.updated_at, AuthSession.created_at, Project.updated_at)
    times = [await session.scalar(select(func.max(column))) for column in columns]
    return max((time for time in times if time is not None), default=None)
