"""Statements over all jobs and files, for metrics."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import Artifact, DatasetVersion, JobStatus, ModelVersion, TrainingJob


async def count_jobs(session: AsyncSession) -> Sequence[Any]:
    """Return rows of framework, status, reason and count. Deleted jobs are left out."""
    kinds = (TrainingJob.framework, TrainingJob.status, func.coalesce(TrainingJob.status_reason, "").label("reason"))
    counted = select(*kinds, func.count().label("count")).where(TrainingJob.deleted_at.is_(None)).group_by(*kinds)
    return (await session.execute(counted)).all()


async def list_oldest_queued(session: AsyncSession) -> Mapping[str, datetime]:
    """Return for each framework since when its oldest queued job waits. Jobs that had started before do not count."""
    never_begun = or_(TrainingJob.started_at.is_(None), TrainingJob.started_at < TrainingJob.queued_at)
    oldest = (
        select(TrainingJob.framework, func.min(TrainingJob.queued_at).label("since"))
        .where(TrainingJob.status == JobStatus.QUEUED, TrainingJob.deleted_at.is_(None), never_begun)
        .group_by(TrainingJob.framework)
    )
    return {row.framework: row.since for row in await session.execute(oldest) if row.since is not None}


async def sum_stored_bytes(session: AsyncSession) -> Mapping[str, int]:
    """Return bytes by kind, each object once, as far as rows name it: `make usage` looks into the storage itself."""
    artifacts = select(func.max(Artifact.size_bytes).label("size")).group_by(Artifact.uri).subquery()
    ready = DatasetVersion.digest.is_not(None)
    datasets = select(func.max(DatasetVersion.size_bytes).label("size")).where(ready).group_by(DatasetVersion.digest)
    models = select(ModelVersion.size_bytes.label("size"))
    sums: dict[str, int] = {}
    for kind, sizes in (("artifacts", artifacts), ("datasets", datasets.subquery()), ("models", models.subquery())):
        total = select(cast(func.coalesce(func.sum(sizes.c.size), 0), BigInteger))
        sums[kind] = (await session.execute(total)).scalar_one()
    return sums
