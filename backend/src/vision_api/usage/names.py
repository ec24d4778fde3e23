"""Everything in storage that the database has a name for."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import (
    Artifact,
    AuthSession,
    Dataset,
    DatasetVersion,
    GarbageObject,
    ModelVersion,
    Project,
    RegisteredModel,
    TrainingJob,
)


@dataclass(frozen=True, slots=True)
class KnownJob:
    """A row; `project_id` is None for one that was deleted and waits for the sweep."""

    job_id: int
    name: str
    status: str
    project_id: int | None


@dataclass
class KnownObjects:
    """What the database knew at one moment."""

    projects: dict[int, str] = field(default_factory=dict[int, str])
    jobs: dict[str, KnownJob] = field(default_factory=dict[str, KnownJob])
    """By `job_uid`, deleted ones too."""
    kinds: dict[str, str] = field(default_factory=dict[str, str])
    """Of artifacts, by URI."""
    artifacts: list[tuple[int, str, datetime]] = field(default_factory=list[tuple[int, str, datetime]])
    """`job_id`, URI and time of each."""
    garbage: set[str] = field(default_factory=set[str])
    digests: dict[str, int | None] = field(default_factory=dict[str, int | None])
    """The project of the first data set that has this content; None for one of a user's own."""
    models: dict[str, int] = field(default_factory=dict[str, int])
    """The project of each version of a registered model, by its `uid`."""
    database_bytes: int = 0
    last_sign_of_life: datetime | None = None
    """When the database was last written to by people or trainings."""


async def load_known_objects(session: AsyncSession) -> KnownObjects:
    """All of them, in a handful of statements."""
    names = KnownObjects()
    names.projects = {row.id: row.name for row in await session.execute(select(Project.id, Project.name))}
    job = TrainingJob
    columns = (job.job_uid, job.id, job.name, job.status, job.project_id, job.deleted_at)
    for uid, job_id, name, status, project_id, deleted_at in await session.execute(select(*columns)):
        names.jobs[str(uid)] = KnownJob(job_id, name, status, project_id if deleted_at is None else None)
    artifacts = select(Artifact.job_id, Artifact.uri, Artifact.created_at, Artifact.kind)
    for job_id, uri, created_at, kind in await session.execute(artifacts):
        names.kinds[uri] = kind
        names.artifacts.append((job_id, uri, created_at))
    names.garbage = set(await session.scalars(select(GarbageObject.uri)))
    versions = select(DatasetVersion.digest, Dataset.project_id).join(Dataset, Dataset.id == DatasetVersion.dataset_id)
    for digest, project_id in await session.execute(versions.order_by(Dataset.id)):
        if digest is not None:
            names.digests.setdefault(digest, project_id)
    weights = select(ModelVersion.uid, RegisteredModel.project_id)
    weights = weights.join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
    names.models = {str(uid): project_id for uid, project_id in await session.execute(weights)}
    names.database_bytes = await _size_of_database(session)
    names.last_sign_of_life = await _last_sign_of_life(session)
    return names


async def is_known(session: AsyncSession, job_uid: UUID) -> bool:
    """Whether there is such a job now, deleted or not."""
    return await session.scalar(select(TrainingJob.id).where(TrainingJob.job_uid == job_uid)) is not None


async def _size_of_database(session: AsyncSession) -> int:
    """What it takes on its disk. SQLite gives room that became free to later rows, not back to the disk."""
    if session.get_bind().dialect.name == "postgresql":
        return (await session.execute(select(func.pg_database_size(func.current_database())))).scalar_one()
    pages = (await session.execute(text("PRAGMA page_count"))).scalar_one()
    return pages * (await session.execute(text("PRAGMA page_size"))).scalar_one()


async def _last_sign_of_life(session: AsyncSession) -> datetime | None:
    columns = (TrainingJob.updated_at, AuthSession.created_at, Project.updated_at)
    moments = [await session.scalar(select(func.max(column))) for column in columns]
    return max((moment for moment in moments if moment is not None), default=None)
