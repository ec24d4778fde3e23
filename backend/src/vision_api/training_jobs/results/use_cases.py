"""Reading of a training's metrics, logs and artifacts."""

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import NotFound
from vision_api.models import Artifact, LogLine, TrainingJob, User
from vision_api.training_jobs import access, repository
from vision_api.training_jobs.schemas import ArtifactRead, LogLineRead, MetricPointRead, MetricSeries
from vision_api.training_jobs.serializers import read_artifact, read_log_line
from vision_contracts import LogLevel, metric_names


async def metrics(
    session: AsyncSession,
    *,
    user: User,
    job_id: int,
    names: Sequence[str] | None,
    after_step: int | None,
    max_points: int,
) -> list[MetricSeries]:
    """Return one curve for each name, in alphabetical order; names without points are left out."""
    await access.get_job_for(session, user, job_id)
    rows = await repository.list_points(session, [job_id], names=names, after_step=after_step, max_points=max_points)
    return [
        MetricSeries(
            name=name,
            unit=metric_names.UNITS.get(name),
            points=[MetricPointRead.model_validate(row) for row in points],
        )
        for name, points in groupby(rows, key=lambda row: row.name)
    ]


async def log_lines(
    session: AsyncSession, *, user: User, job_id: int, after: int, level: LogLevel, limit: int
) -> list[LogLineRead]:
    """Return log lines in order. If lines after `after` are not kept any more, the first line says so."""
    job = await access.get_job_for(session, user, job_id)
    first = await repository.first_log_line(session, job_id)
    cut = first.line_id - 1 if first is not None else job.last_log_id
    note = [_missing_lines_note(job, first, cut=cut, missed=cut - after, level=level)] if after < cut else []
    lines = await repository.list_log_lines(session, job_id, after=after, level=level, limit=limit - len(note))
    return [*note, *(read_log_line(line) for line in lines)]


def _missing_lines_note(
    job: TrainingJob, first: LogLine | None, *, cut: int, missed: int, level: LogLevel
) -> LogLineRead:
    """Return a line with the id of the last deleted line, so that a client that continues after it misses nothing and
    sees it once. Its level is the requested one, at least a warning: the deleted lines may have been errors.
    """
    note_level = max(level, LogLevel.WARNING, key=repository.LEVELS.index)
    lines = "1 earlier line is" if missed == 1 else f"{missed:,} earlier lines are"
    time, attempt = (first.time, first.attempt) if first is not None else (job.updated_at, job.attempt)
    message = f"… {lines} not kept (JOB_LOG_LINES_KEPT)"
    return LogLineRead(id=cut, time=time, level=note_level, message=message, attempt=attempt)


async def artifacts(session: AsyncSession, *, user: User, job_id: int) -> list[ArtifactRead]:
    """Return all artifacts, in alphabetical order."""
    await access.get_job_for(session, user, job_id)
    return [read_artifact(artifact) for artifact in await repository.list_artifacts(session, job_id)]


async def artifact(session: AsyncSession, *, user: User, job_id: int, name: str) -> Artifact:
    """Return the row of one artifact. Raises NotFound."""
    await access.get_job_for(session, user, job_id)
    found = await repository.find_artifact(session, job_id, name)
    if found is None:
        raise NotFound(f"This experiment has no artifact {name!r}.")
    return found
