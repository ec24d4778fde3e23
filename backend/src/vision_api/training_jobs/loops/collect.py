"""Sees to it that every active job is followed by exactly one follower, of one backend."""

import asyncio
import logging
import time
from collections.abc import Callable
from uuid import UUID

from vision_api.db.session import Database
from vision_api.training_jobs.loops import leases, repository
from vision_api.training_jobs.loops.event_collector import Followed, Follower
from vision_api.training_jobs.notifier import Wakeups

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0

MakeFollower = Callable[[Followed], Follower]


class CollectLoop:
    """Leases active jobs, starts a follower for each, and keeps their leases."""

    def __init__(self, database: Database, wakeups: Wakeups, make_follower: MakeFollower, *, owner: UUID) -> None:
        self._database = database
        self._wakeups = wakeups
        self._make_follower = make_follower
        self._owner = owner
        self._followers: dict[int, asyncio.Task[None]] = {}
        self._renewed_at = time.monotonic()

    async def wait(self) -> None:
        """Until there may be something to do."""
        await self._wakeups.collect.wait(POLL_SECONDS)

    async def tick(self) -> None:
        """Follow what nobody follows."""
        self._forget_finished()
        if self._followers and time.monotonic() - self._renewed_at >= leases.RENEW_SECONDS:
            async with self._database.transaction() as session:
                await leases.renew(session, self._owner, self._followers.keys())
            self._renewed_at = time.monotonic()
        for followed in await self._lease():
            follower = self._make_follower(followed)
            self._followers[followed.job_id] = asyncio.create_task(follower.run(), name=f"follow-{followed.job_uid}")

    async def close(self) -> None:
        """Follow no more. The leases stay: release them when everything that holds one has stopped."""
        for task in self._followers.values():
            task.cancel()
        if self._followers:
            await asyncio.wait(self._followers.values())

    async def _lease(self) -> list[Followed]:
        async with self._database.transaction() as session:
            jobs = await repository.lock_unfollowed(session, self._owner, self._followers.keys())
            for job in jobs:
                leases.take(job, self._owner)
            return [
                Followed(job.id, job.job_uid, job.attempt, job.instance_id, job.service_cursor, job.request_id)
                for job in jobs
                if job.instance_id is not None
            ]

    def _forget_finished(self) -> None:
        for job_id, task in list(self._followers.items()):
            if task.done():
                del self._followers[job_id]
                if not task.cancelled() and (error := task.exception()) is not None:
                    logger.error("following job %d failed; it is tried again", job_id, exc_info=error)
