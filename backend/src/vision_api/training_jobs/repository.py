"""Statements of requests and streams about training jobs, their events, logs, artifacts and metrics.

The loops' own statements are in `loops/repository/`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.kit.pagination import Page, PageRequest, paginate
from vision_api.models import (
    Artifact,
    GarbageObject,
    JobEvent,
    JobStatus,
    LogLine,
    MetricPoint,
    ProjectMember,
    TrainingJob,
    User,
)
from vision_api.training_jobs.kinds import is_experiment
from vision_contracts import ArtifactKind, LogLevel

QUEUE_ORDER = (TrainingJob.priority.desc(), TrainingJob.queued_at, TrainingJob.id)
"""Order in which queued jobs get slots."""

LEVELS = tuple(LogLevel)
"""Log levels from the least to the most urgent."""


def is_visible() -> ColumnElement[bool]:
    """Return the condition that a job is neither deleted itself nor in a deleted project."""
    return TrainingJob.deleted_at.is_(None) & TrainingJob.project_id.is_not(None)


def is_listed() -> ColumnElement[bool]:
    """Return the condition that a job is a visible training: operations are listed under their training."""
    return is_experiment() & is_visible()


def _projects_of(user: User) -> Select[int]:
    return select(ProjectMember.project_id).where(ProjectMember.user_id == user.id)


async def get_job(session: AsyncSession, job_id: int) -> TrainingJob | None:
    """Return a job of any kind, unless it is deleted."""
    return await session.scalar(select(TrainingJob).where(TrainingJob.id == job_id, is_visible()))


async def list_jobs(session: AsyncSession, user: User, job_ids: Collection[int]) -> Sequence[TrainingJob]:
    """Return the jobs of any kind among `job_ids` that `user` may see, in no particular order."""
    query = select(TrainingJob).where(TrainingJob.id.in_(job_ids), is_visible())
    if not user.is_admin:
        query = query.where(TrainingJob.project_id.in_(_projects_of(user)))
    return (await session.scalars(query)).all()


async def get_job_for_update(session: AsyncSession, job_id: int) -> TrainingJob | None:
    """Return a job of any kind and lock its row until the transaction ends."""
    statement = select(TrainingJob).where(TrainingJob.id == job_id, is_visible())
    return await session.scalar(statement.with_for_update().execution_options(populate_existing=True))


def visible_jobs(
    user: User,
    *,
    project_id: int | None = None,
    status: JobStatus | None = None,
    framework: str | None = None,
    task_type: str | None = None,
    q: str | None = None,
) -> Select[TrainingJob]:
    """Return the query of the trainings that `user` may see, filtered. `q` searches names, models and notes."""
    query = select(TrainingJob).where(is_listed())
    if project_id is not None:
        query = query.where(TrainingJob.project_id == project_id)
    elif not user.is_admin:
        query = query.where(TrainingJob.project_id.in_(_projects_of(user)))
    equals = {TrainingJob.status: status, TrainingJob.framework: framework, TrainingJob.task_type: task_type}
    query = query.where(*(column == value for column, value in equals.items() if value is not None))
    if q:
        texts = (TrainingJob.name, TrainingJob.model_name, TrainingJob.notes)
        query = query.where(or_(*(text.icontains(q, autoescape=True) for text in texts)))
    return query


async def page_jobs(session: AsyncSession, query: Select[TrainingJob], params: PageRequest) -> Page[TrainingJob]:
    """Return a page of `visible_jobs`, newest first."""
    return await paginate(session, query, params, keys=[TrainingJob.id])


async def list_project_jobs(
    session: AsyncSession, project_id: int, *, before_id: int | None, limit: int
) -> Sequence[TrainingJob]:
    """Return the trainings of a project before an id, newest first."""
    statement = select(TrainingJob).where(TrainingJob.project_id == project_id, is_listed())
    if before_id is not None:
        statement = statement.where(TrainingJob.id < before_id)
    return (await session.scalars(statement.order_by(TrainingJob.id.desc()).limit(limit))).all()


async def list_changed_jobs(session: AsyncSession, project_id: int, *, since: datetime) -> Sequence[TrainingJob]:
    """Return the trainings of a project that have changed since a time, also deleted ones."""
    is_recent = is_experiment() & (TrainingJob.updated_at > since)
    changed = select(TrainingJob).where(TrainingJob.project_id == project_id, is_recent)
    return (await session.scalars(changed.order_by(TrainingJob.updated_at))).all()


async def list_last_event_ids(session: AsyncSession, job_ids: Collection[int]) -> dict[int, int]:
    """Return the id of the newest event of each of these jobs that is not deleted."""
    query = select(TrainingJob.id, TrainingJob.last_event_id).where(TrainingJob.id.in_(job_ids), is_visible())
    return {row.id: row.last_event_id for row in await session.execute(query)}


async def list_recent_changes(session: AsyncSession, since: Mapping[int, datetime]) -> Sequence[Any]:
    """Return rows of (project_id, id, updated_at, last_event_id) of changed jobs, for each project since its time."""
    job = TrainingJob
    recent = or_(*((job.project_id == project_id) & (job.updated_at > after) for project_id, after in since.items()))
    query = select(job.project_id, job.id, job.updated_at, job.last_event_id).where(recent)
    return (await session.execute(query)).all()


async def count_queued(session: AsyncSession, *, user_id: int) -> int:
    """Return the number of a user's jobs that wait for a slot, operations too."""
    ours = TrainingJob.created_by_id == user_id
    waiting = select(func.count()).where(ours, TrainingJob.status == JobStatus.QUEUED, TrainingJob.deleted_at.is_(None))
    return await session.scalar(waiting) or 0


async def queue_positions(session: AsyncSession, jobs: Sequence[TrainingJob]) -> dict[int, int]:
    """Return the positions, from 1, of those of `jobs` that are queued among the queued jobs of their framework."""
    queued = [job.id for job in jobs if job.status == JobStatus.QUEUED]
    if not queued:
        return {}
    position = func.row_number().over(partition_by=TrainingJob.framework, order_by=QUEUE_ORDER)
    positions = (
        select(TrainingJob.id, position.label("position"))
        .where(TrainingJob.status == JobStatus.QUEUED, is_visible())
        .subquery()
    )
    rows = await session.execute(select(positions.c.id, positions.c.position).where(positions.c.id.in_(queued)))
    return {row.id: row.position for row in rows}


async def delete_operations(session: AsyncSession, job: TrainingJob) -> None:
    """Delete the operations of a deleted training, or the artifacts that a deleted operation added to its training."""
    deleted = {"deleted_at": job.deleted_at, "updated_at": utc_now()}
    operations = update(TrainingJob).where(TrainingJob.parent_id == job.id, TrainingJob.deleted_at.is_(None))
    await session.execute(operations.values(deleted).execution_options(synchronize_session=False))
    if job.parent_id is not None:
        is_result = Artifact.uri.startswith(f"{job.output_uri}/", autoescape=True)
        await session.execute(delete(Artifact).where(Artifact.job_id == job.parent_id, is_result))


async def list_events(session: AsyncSession, job_id: int, *, after: int, limit: int) -> Sequence[JobEvent]:
    """Return the events after an id, in order."""
    statement = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.event_id > after)
    return (await session.scalars(statement.order_by(JobEvent.event_id).limit(limit))).all()


async def list_log_lines(
    session: AsyncSession, job_id: int, *, after: int, level: LogLevel, limit: int
) -> Sequence[LogLine]:
    """Return the log lines after an id that are at least as urgent as `level`, in order."""
    urgent = LEVELS[LEVELS.index(level) :]
    statement = select(LogLine).where(LogLine.job_id == job_id, LogLine.line_id > after, LogLine.level.in_(urgent))
    return (await session.scalars(statement.order_by(LogLine.line_id).limit(limit))).all()


async def first_log_line(session: AsyncSession, job_id: int) -> LogLine | None:
    """Return the oldest log line that is kept."""
    return await session.scalar(select(LogLine).where(LogLine.job_id == job_id).order_by(LogLine.line_id).limit(1))


async def list_artifacts(session: AsyncSession, job_id: int) -> Sequence[Artifact]:
    """Return the artifacts of a job in alphabetical order, without its training state, which only a trainer reads."""
    is_listed = (Artifact.job_id == job_id) & (Artifact.kind != ArtifactKind.TRAINING_STATE)
    return (await session.scalars(select(Artifact).where(is_listed).order_by(Artifact.name))).all()


async def find_artifact(session: AsyncSession, job_id: int, name: str) -> Artifact | None:
    """Return the artifact of that name, or the only one that has it plus a suffix."""
    statement = select(Artifact).where(
        Artifact.job_id == job_id,
        (Artifact.name == name) | Artifact.name.startswith(f"{name}.", autoescape=True),
    )
    found = (await session.scalars(statement.limit(3))).all()
    exact = [artifact for artifact in found if artifact.name == name]
    return next(iter(exact or found), None) if len(found) == 1 or exact else None


async def list_points(
    session: AsyncSession,
    job_ids: Collection[int],
    *,
    names: Sequence[str] | None,
    after_step: int | None,
    max_points: int,
) -> Sequence[Any]:
    """Return rows of (job_id, name, step, epoch, value, time) in order; longer curves are thinned to `max_points`.

    The steps are divided into buckets, of which the smallest and the largest value are kept, so that no peak is lost.
    The last point is kept too.
    """
    point = MetricPoint
    query = select(point.job_id, point.name, point.step, point.epoch, point.value, point.time)
    query, curve = query.where(point.job_id.in_(job_ids)), [point.job_id, point.name]
    if names:
        query = query.where(point.name.in_(names))
    if after_step is not None:
        query = query.where(point.step > after_step)
    buckets = max(1, (max_points - 1) // 2)
    divided = query.add_columns(
        func.count().over(partition_by=curve).label("count"),
        func.max(point.step).over(partition_by=curve).label("last"),
        func.ntile(buckets).over(partition_by=curve, order_by=point.step).label("bucket"),
    ).subquery()
    within, value, step = [divided.c.job_id, divided.c.name, divided.c.bucket], divided.c.value, divided.c.step
    missing_last = case((value.is_(None), 1), else_=0)
    ranked = select(
        divided,
        func.row_number().over(partition_by=within, order_by=[missing_last, value, step]).label("low"),
        func.row_number().over(partition_by=within, order_by=[missing_last, value.desc(), step]).label("high"),
    ).subquery()
    kept = (ranked.c.count <= max_points) | (ranked.c.low == 1) | (ranked.c.high == 1)
    chosen = select(*(ranked.c[name] for name in ("job_id", "name", "step", "epoch", "value", "time")))
    chosen = chosen.where(kept | (ranked.c.step == ranked.c.last))
    return (await session.execute(chosen.order_by(ranked.c.job_id, ranked.c.name, ranked.c.step))).all()


async def find_training_state(session: AsyncSession, job_id: int) -> Artifact | None:
    """Return the training state of a job's newest checkpoint."""
    is_state = (Artifact.job_id == job_id) & (Artifact.kind == ArtifactKind.TRAINING_STATE)
    return await session.scalar(select(Artifact).where(is_state))


async def delete_training_state(session: AsyncSession, job_id: int, *, due_at: datetime) -> bool:
    """Delete the training state of a job, whose object becomes garbage. Returns whether there was one."""
    state = await find_training_state(session, job_id)
    if state is None:
        return False
    await session.merge(GarbageObject(uri=state.uri, due_at=due_at))
    await session.delete(state)
    return True
