"""Ctrl-C where everything runs on one machine: what trains saves a checkpoint, and goes on at the next start."""

import asyncio
import logging
import time
from collections.abc import Sequence
from uuid import UUID

from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.models import TrainingJob
from vision_api.training_jobs.loops import repository
from vision_api.training_services import InstanceRegistry, ServiceError
from vision_contracts import StopRequest

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
MARGIN_SECONDS = 5.0
"""A trainer that does not stop within the grace is killed; its end takes a moment to arrive."""


async def pause_active(database: Database, registry: InstanceRegistry, *, grace_seconds: float) -> None:
    """Ask every attempt to pause, and wait until their ends have been collected, for a bounded time.

    Jobs go back to `queued` by the `paused` events that nobody asked for. What does not end in time is found again at
    the next start by the lock in its folder.
    """
    deadline = time.monotonic() + grace_seconds + MARGIN_SECONDS
    asked: set[UUID] = set()
    active: Sequence[TrainingJob] = ()
    while time.monotonic() < deadline:
        try:
            async with database.snapshot() as session:
                active = await repository.list_active(session)
        except DatabaseUnavailable as error:
            logger.warning("cannot see what still trains: %s", error)
            return
        if not active:
            return
        new = [job for job in active if job.job_uid not in asked]
        if new:
            logger.info("waiting for %d experiment(s) to save a checkpoint", len(active))
            await asyncio.gather(*(_pause(registry, job, grace_seconds) for job in new))
            asked.update(job.job_uid for job in new)
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
