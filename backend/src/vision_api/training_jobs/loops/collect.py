"""Sees to it that every active job is followed by exactly one follower, of one backend."""

import asyncio
import logging
import time
from collections.abc import Callable
from uuid import UUID

from vision_api.db.session import Database
from vision_api.training_jobs.loops import leases, repository
from vision_api.training_jobs.loops.event_collector import CollectedAttempt, EventCollector
from vision_api.training_jobs.notifier import Notifier

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0

MakeFollower = Callable[[CollectedAttempt], EventCollector]


class CollectLoop:
    """Leases active jobs, starts a follower for each, and keeps their leases."""

    def __init__(self, database: Database, notifier: Notifier, make_collector: MakeFollower, *, owner: UUID) -> None:
        self._database = database
        self._notifier = notifier
        self._make_follower = make_collector
        self._owner = owner
        self._collectors: dict[int, asyncio.Task[None]] = {}
        self._renewed_at = time.monotonic()

    async def wait(self) -> None:
        """Until there may be something to do."""
        await self._notifier.collect.wait(POLL_SECONDS)

    async def tick(self) -> None:
        """Follow what nobody follows."""
        self._forget_finished()
        if self._collectors and time.monotonic() - self._renewed_at >= leases.RENEW_SECONDS:
            async with self._database.transaction() as session:
                await leases.renew(session, self._owner, self._collectors.keys())
            self._renewed_at = time.monotonic()
        for followed in await self._lease():
            collector = self._make_follower(followed)
            self._collectors[followed.job_id] = asyncio.create_task(collector.run(), name=f"follow-{followed.job_uid}")

    async def close(self) -> None:
        """Follow no more. The leases stay: release them when everything that holds one has stopped."""
        for task in self._collectors.values():
            task.cancel()
        if self._collectors:
            await asyncio.wait(self._collectors.values())

    async def _lease(self) -> list[CollectedAttempt]:
        async with self._database.transaction() as session:
            jobs = await repository.lock_unfollowed(session, self._owner, self._collectors.keys())
            for job in jobs:
                leases.take(job, self._owner)
            return [
                CollectedAttempt(job.id, job.job_uid, job.attempt, job.instance_id, job.service_cursor, job.request_id)
                for job in jobs
                if job.instance_id is not None
            ]

    def _forget_finished(self) -> None:
        for job_id, task in list(self._collectors.items()):
            if task.done():
                del self._collectors[job_id]
                if not task.cancelled() and (error := task.exception()) is not None:
                    logger.error("following job %d failed; it is tried again", job_id, exc_info=error)
