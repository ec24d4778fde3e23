"""Frees what nothing names any more: deleted jobs with all their files, and replaced objects."""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import anyio.to_thread

from data_kit import ObjectStore, StorageError
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import TrainingJob
from vision_api.training_jobs.loops import leases, repository
from vision_api.training_jobs.loops.retention import Retention, forget_events, list_with_stale_events
from vision_api.training_jobs.wakeups import Wakeup

logger = logging.getLogger(__name__)

POLL_SECONDS = 5.0
FORGET_EVENTS_SECONDS = 3600.0
SEEN_AS_DELETED = timedelta(seconds=5)
"""Followers of the project must see that a job was deleted before its row is gone."""


class SweepLoop:
    """Storage first, then the row: what is interrupted is done again."""

    def __init__(self, database: Database, store: ObjectStore, retention: Retention, *, owner: UUID) -> None:
        self._database = database
        self._store = store
        self._retention = retention
        self._forget_events_at = 0.0
        self._owner = owner
        self._wakeup = Wakeup()

    async def wait(self) -> None:
        """There is no hurry."""
        await self._wakeup.wait(POLL_SECONDS)

    async def tick(self) -> None:
        """One round."""
        await self._remove_jobs()
        await self._delete_garbage()
        if self._retention.event_days and time.monotonic() >= self._forget_events_at:
            await self._forget_events()
            self._forget_events_at = time.monotonic() + FORGET_EVENTS_SECONDS

    async def _remove_jobs(self) -> None:
        async with self._database.transaction() as session:
            jobs = await repository.lock_removable(session, before=utc_now() - SEEN_AS_DELETED)
            for job in jobs:
                leases.take(job, self._owner)
        for job in jobs:
            if await self._delete_prefix(job):
                async with self._database.transaction() as session:
                    await repository.remove_job(session, job.id, owner=self._owner)

    async def _delete_prefix(self, job: TrainingJob) -> bool:
        if not self._store.contains(job.output_uri):
            logger.warning("job %s: its files at %s are not in this storage and stay", job.job_uid, job.output_uri)
            return True
        try:
            await anyio.to_thread.run_sync(self._store.delete_prefix, self._store.key(job.output_uri))
        except StorageError as error:
            logger.warning("job %s: its files cannot be deleted now: %s", job.job_uid, error)
            return False
        return True

    async def _delete_garbage(self) -> None:
        async with self._database.snapshot() as session:
            due = await repository.list_garbage(session, due_before=utc_now())
        deleted = [uri for uri in due if await self._delete_object(uri)]
        if deleted:
            async with self._database.transaction() as session:
                await repository.forget_garbage(session, deleted)

    async def _forget_events(self) -> None:
        ended_before = utc_now() - timedelta(days=self._retention.event_days)
        stale: Sequence[int] = (0,)
        while stale:
            async with self._database.snapshot() as session:
                stale = await list_with_stale_events(session, ended_before=ended_before, limit=repository.AT_ONCE)
            for job_id in stale:
                async with self._database.transaction() as session:
                    await forget_events(session, job_id, ended_before=ended_before)

    async def _delete_object(self, uri: str) -> bool:
        try:
            if self._store.contains(uri):
                await anyio.to_thread.run_sync(self._store.delete, uri)
        except StorageError as error:
            logger.warning("%s cannot be deleted now: %s", uri, error)
            return False
        return True
