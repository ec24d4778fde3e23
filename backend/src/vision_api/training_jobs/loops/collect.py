"""Loop that runs one event collector for every active job, in one of the backends."""

import asyncio
import logging
import time
from collections.abc import Callable
from uuid import UUID

from vision_api.db.session import Database
from vision_api.training_jobs.leases import RENEW_SECONDS, take_lease
from vision_api.training_jobs.loops.event_collector import CollectedAttempt, EventCollector
from vision_api.training_jobs.loops.repository import jobs as repository
from vision_api.training_jobs.notifier import Notifier

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0

MakeCollector = Callable[[CollectedAttempt], EventCollector]


class CollectLoop:
    """Leases active jobs, starts a collector for each, and renews their leases."""

    def __init__(self, database: Database, notifier: Notifier, make_collector: MakeCollector, *, owner: UUID) -> None:
        self._database = database
        self._notifier = notifier
        self._make_collector = make_collector
        self._owner = owner
        self._collectors: dict[int, asyncio.Task[None]] = {}
        self._renewed_at = time.monotonic()

    async def wait(self) -> None:
        """Wait for a notification or the next round."""
        await self._notifier.collect.wait(POLL_SECONDS)

    async def tick(self) -> None:
        """Start collectors of active jobs that have none."""
        self._drop_finished()
        if self._collectors and time.monotonic() - self._renewed_at >= RENEW_SECONDS:
            async with self._database.transaction() as session:
                await repository.renew_leases(session, self._owner, self._collectors.keys())
            self._renewed_at = time.monotonic()
        for attempt in await self._lease():
            collector = self._make_collector(attempt)
            self._collectors[attempt.job_id] = asyncio.create_task(collector.run(), name=f"collect-{attempt.job_uid}")

    async def close(self) -> None:
        """Stop all collectors. The leases stay: release them when every other holder of a lease has stopped."""
        for task in self._collectors.values():
            task.cancel()
        if self._collectors:
            await asyncio.wait(self._collectors.values())

    async def _lease(self) -> list[CollectedAttempt]:
        async with self._database.transaction() as session:
            jobs = await repository.lock_uncollected(session, self._owner, self._collectors.keys())
            for job in jobs:
                take_lease(job, self._owner)
            return [
                CollectedAttempt(job.id, job.job_uid, job.attempt, job.instance_id, job.service_cursor, job.request_id)
                for job in jobs
                if job.instance_id is not None
            ]

    def _drop_finished(self) -> None:
        for job_id, task in list(self._collectors.items()):
            if task.done():
                del self._collectors[job_id]
                if not task.cancelled() and (error := task.exception()) is not None:
                    logger.error("collecting the events of job %d failed; retrying", job_id, exc_info=error)
