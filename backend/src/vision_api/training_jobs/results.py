"""What a training has left so far, as clients read it."""

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.errors import NotFound
from vision_api.models import Artifact, User
from vision_api.training_jobs import access, repository
from vision_api.training_jobs.reading import read_artifact, read_log_line
from vision_api.training_jobs.schemas import ArtifactRead, LogLineRead, MetricPointRead, MetricSeries
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
    """One curve for each name, in alphabetical order; a name that has no point is left out."""
    await access.get_job_for(session, user, job_id)
    rows = await repository.list_points(session, job_id, names=names, after_step=after_step, max_points=max_points)
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
    """Lines in order."""
    await access.get_job_for(session, user, job_id)
    lines = await repository.list_log_lines(session, job_id, after=after, level=level, limit=limit)
    return [read_log_line(line) for line in lines]


async def artifacts(session: AsyncSession, *, user: User, job_id: int) -> list[ArtifactRead]:
    """Every file, in alphabetical order."""
    await access.get_job_for(session, user, job_id)
    return [read_artifact(artifact) for artifact in await repository.list_artifacts(session, job_id)]


async def artifact(session: AsyncSession, *, user: User, job_id: int, name: str) -> Artifact:
    """One file's row. Raises NotFound."""
    await access.get_job_for(session, user, job_id)
    found = await repository.find_artifact(session, job_id, name)
    if found is None:
        raise NotFound(f"This experiment has no artifact {name!r}.")
    return found
