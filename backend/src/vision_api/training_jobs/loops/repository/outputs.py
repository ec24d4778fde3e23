"""Statements that write the outputs of an attempt in bulk: points, log lines, events and artifacts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.db.bulk import write_rows
from vision_api.kit.clock import utc_now
from vision_api.models import Artifact, GarbageObject, JobEvent, LogLine, MetricPoint, TrainingJob
from vision_api.training_jobs import repository as training_jobs
from vision_api.training_jobs.kinds import rules_of
from vision_contracts import Artifact as ArtifactBody
from vision_contracts import ArtifactKind, Checkpoint

GARBAGE_GRACE = timedelta(minutes=10)
"""Delay before a replaced object is deleted: a new attempt, or another job, may still be reading it."""

# Tables instead of ORM models: bulk writes are three times as fast without a unit of work.
_POINTS, _LINES, _EVENTS = (cast("Table", model.__table__) for model in (MetricPoint, LogLine, JobEvent))

CHECKPOINT_TYPE = "application/octet-stream"
TRAINING_STATE = "training-state/last"
"""Name of the artifact, of which a job has one at most."""


async def upsert_points(session: AsyncSession, points: Sequence[dict[str, Any]]) -> None:
    """Write metric points; one that is there already is replaced."""
    await write_rows(session, _POINTS, points, replacing=("epoch", "value", "time"))


async def delete_points(session: AsyncSession, job: TrainingJob, *, beyond: int) -> int:
    """Delete the metric points after a step. Returns their number."""
    later = delete(MetricPoint).where(MetricPoint.job_id == job.id, MetricPoint.step > beyond)
    result = await session.execute(later.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount


async def add_log_lines(session: AsyncSession, lines: Sequence[dict[str, Any]]) -> None:
    """Write log lines."""
    await write_rows(session, _LINES, lines)


async def add_events(session: AsyncSession, events: Sequence[dict[str, Any]]) -> None:
    """Write a job's events."""
    await write_rows(session, _EVENTS, events)


async def upsert_artifact(session: AsyncSession, job: TrainingJob, body: ArtifactBody, time: datetime) -> None:
    """Write an artifact; the object that had its name becomes garbage."""
    fields = body.model_dump(include={"name", "kind", "uri", "size_bytes", "sha256", "content_type", "step"})
    await _upsert(session, job, _owner_id(job, body), [fields | {"created_at": time}])


def _owner_id(job: TrainingJob, body: ArtifactBody) -> int:
    """Return the id of the job that lists the artifact: results of an export or an evaluation, but not their logs,
    belong to the training that was exported or evaluated.
    """
    is_result = rules_of(job).gives_results_to_parent and body.kind is not ArtifactKind.LOG
    return job.parent_id if is_result and job.parent_id is not None else job.id


async def upsert_checkpoint(session: AsyncSession, job: TrainingJob, body: Checkpoint, time: datetime) -> None:
    """Write `checkpoints/last…`, and also `checkpoints/best…` if it is the best so far: one object, two names."""
    names = [body.name]
    if body.is_best:
        names.append(body.name.replace("checkpoints/last", "checkpoints/best", 1))
    fields = body.model_dump(include={"uri", "size_bytes", "sha256", "step"})
    fields |= {"kind": ArtifactKind.CHECKPOINT, "content_type": CHECKPOINT_TYPE, "created_at": time}
    await _upsert(session, job, job.id, [fields | {"name": name} for name in dict.fromkeys(names)])
    await _replace_state(session, job, body, time)


async def _replace_state(session: AsyncSession, job: TrainingJob, body: Checkpoint, time: datetime) -> None:
    """Write the training state, that of the newest checkpoint alone. A checkpoint without one replaces it too."""
    job.is_state_trimmed = False
    if body.state is None:
        await training_jobs.delete_training_state(session, job.id, due_at=utc_now() + GARBAGE_GRACE)
        return
    fields = body.state.model_dump(include={"uri", "size_bytes", "sha256"})
    fields |= {"name": TRAINING_STATE, "kind": ArtifactKind.TRAINING_STATE, "content_type": CHECKPOINT_TYPE}
    await _upsert(session, job, job.id, [fields | {"step": body.step, "created_at": time}])


async def _upsert(session: AsyncSession, job: TrainingJob, owner_id: int, rows: Sequence[dict[str, Any]]) -> None:
    names = [row["name"] for row in rows]
    replaced = {each.uri for each in await _artifacts(session, owner_id) if each.name in names}
    for row in rows:
        await session.merge(Artifact(job_id=owner_id, attempt=job.attempt, **row))
    named = {each.uri for each in await _artifacts(session, owner_id)}
    for uri in replaced - named:
        await session.merge(GarbageObject(uri=uri, due_at=utc_now() + GARBAGE_GRACE))


async def _artifacts(session: AsyncSession, owner_id: int) -> Sequence[Artifact]:
    return (await session.scalars(select(Artifact).where(Artifact.job_id == owner_id))).all()
