"""Pause of all trainings at a local shutdown (Ctrl-C): they save a checkpoint and continue at the next start."""

import asyncio
import logging
import time
from collections.abc import Sequence
from uuid import UUID

from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.models import TrainingJob
from vision_api.training_jobs.loops.repository.jobs import list_active
from vision_api.training_services import InstanceRegistry, ServiceError
from vision_contracts import StopRequest

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
MARGIN_SECONDS = 5.0
"""Extra time for the terminal event of a trainer that does not stop within the grace period and is killed."""


async def pause_active(database: Database, registry: InstanceRegistry, *, grace_seconds: float) -> None:
    """Ask every attempt to pause, and wait until their ends have been collected, for a bounded time.

    A `paused` event that no user requested puts a job back to `queued`. A job that does not end in time is found again
    at the next start by the lock in its folder.
    """
    deadline = time.monotonic() + grace_seconds + MARGIN_SECONDS
    requested: set[UUID] = set()
    active: Sequence[TrainingJob] = ()
    while time.monotonic() < deadline:
        try:
            async with database.snapshot() as session:
                active = await list_active(session)
        except DatabaseUnavailable as error:
            logger.warning("cannot list the jobs that still run: %s", error)
            return
        if not active:
            return
        new = [job for job in active if job.job_uid not in requested]
        if new:
            logger.info("waiting for %d experiment(s) to save a checkpoint", len(active))
            await asyncio.gather(*(_pause(registry, job, grace_seconds) for job in new))
            requested.update(job.job_uid for job in new)
        await asyncio.sleep(POLL_SECONDS)
    logger.warning("%d experiment(s) did not end in time", len(active))


async def _pause(registry: InstanceRegistry, job: TrainingJob, grace_seconds: float) -> None:
    instance = registry.get(job.instance_id) if job.instance_id is not None else None
    if instance is None:
        return
    request = StopRequest(attempt=job.attempt, mode="pause", grace_seconds=grace_seconds)
    try:
        await registry.client(instance).stop(job.job_uid, request)
    except ServiceError as error:
        logger.warning("job %s cannot be paused: %s", job.job_uid, error)
