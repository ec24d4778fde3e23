"""Loop that removes deleted jobs with all their files, and objects in storage that have been replaced."""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

import anyio.to_thread

from data_kit import ObjectStore, StorageError
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import JobEvent, LogLine, TrainingJob
from vision_api.training_jobs import repository
from vision_api.training_jobs.leases import take_lease
from vision_api.training_jobs.loops.repository import removal
from vision_api.training_jobs.loops.retention import Retention

logger = logging.getLogger(__name__)

POLL_SECONDS = 5.0
EXPIRY_SECONDS = 3600.0
"""Interval of the deletion of what is old."""
SEEN_AS_DELETED = timedelta(seconds=5)
"""Time for which a deleted row stays: the streams of its project must see that it was deleted."""
DELETE_FILES_AGAIN_AFTER = timedelta(days=1)
UNFINISHED_FOR = timedelta(days=1)


class SweepLoop:
    """Deletes files first, then the row, so that an interrupted removal is repeated."""

    def __init__(self, database: Database, store: ObjectStore, retention: Retention, *, owner: UUID) -> None:
        self._database = database
        self._store = store
        self._retention = retention
        self._next_expiry_at = 0.0
        self._owner = owner

    async def wait(self) -> None:
        """Wait for the next round."""
        await asyncio.sleep(POLL_SECONDS)

    async def tick(self) -> None:
        """Remove deleted jobs and garbage; once an hour also what is old."""
        await self._delete_jobs()
        await self._delete_garbage()
        if time.monotonic() >= self._next_expiry_at:
            self._next_expiry_at = time.monotonic() + EXPIRY_SECONDS
            await self._delete_unfinished()
            async with self._database.transaction() as session:
                await removal.delete_short_lived(session)
            if self._retention.event_days:
                await self._delete_expired_events()
            if self._retention.state_days:
                await self._trim_training_states()

    async def _delete_jobs(self) -> None:
        async with self._database.transaction() as session:
            jobs = await removal.lock_removable(session, deleted_before=utc_now() - SEEN_AS_DELETED)
            for job in jobs:
                take_lease(job, self._owner)
        for job in jobs:
            if await self._delete_files(job):
                await self._delete_rows(job)

    async def _delete_rows(self, job: TrainingJob) -> None:
        """Delete a job in many short transactions: a million rows at once would make other writers wait."""
        async with self._database.snapshot() as session:
            names = await removal.list_metric_names(session, job.id)
        for name in names:
            async with self._database.transaction() as session:
                await removal.delete_curve(session, job.id, name)
        for table in (LogLine, JobEvent):
            async with self._database.transaction() as session:
                await removal.delete_history(session, job.id, table)
        async with self._database.transaction() as session:
            again_at = utc_now() + DELETE_FILES_AGAIN_AFTER
            await removal.delete_job(session, job, owner=self._owner, delete_files_again_at=again_at)

    async def _delete_files(self, job: TrainingJob) -> bool:
        if not self._store.contains(job.output_uri):
            logger.warning("job %s: its files at %s are not in this storage and stay", job.job_uid, job.output_uri)
            return True
        try:
            await self._delete_folder(job.output_uri)
        except StorageError as error:
            logger.warning("job %s: its files cannot be deleted now: %s", job.job_uid, error)
            return False
        return True

    async def _delete_garbage(self) -> None:
        async with self._database.snapshot() as session:
            due = await removal.list_garbage(session, due_before=utc_now())
        deleted = [uri for uri in due if await self._delete_object(uri)]
        if deleted:
            async with self._database.transaction() as session:
                await removal.delete_garbage(session, deleted)

    async def _delete_folder(self, uri: str) -> None:
        await anyio.to_thread.run_sync(self._store.delete_prefix, self._store.key(uri))

    async def _delete_unfinished(self) -> None:
        """Delete objects whose upload began and was interrupted, for instance because the writer was killed."""
        delete = partial(self._store.delete_unfinished, before=utc_now() - UNFINISHED_FOR)
        if count := await anyio.to_thread.run_sync(delete):
            logger.info("deleted %d unfinished objects", count)

    async def _delete_expired_events(self) -> None:
        ended_before = utc_now() - timedelta(days=self._retention.event_days)
        expired: Sequence[int] = (0,)
        while expired:
            async with self._database.snapshot() as session:
                expired = await removal.list_with_expired_events(session, ended_before=ended_before)
            for job_id in expired:
                async with self._database.transaction() as session:
                    await removal.delete_expired_events(session, job_id, ended_before=ended_before)

    async def _trim_training_states(self) -> None:
        """Trim jobs that ended long ago to their weights."""
        now = utc_now()
        ended_before = now - timedelta(days=self._retention.state_days)
        jobs: Sequence[TrainingJob] | None = None
        while jobs is None or jobs:
            async with self._database.transaction() as session:
                jobs = await removal.lock_with_expired_state(session, ended_before=ended_before)
                for job in jobs:
                    await repository.delete_training_state(session, job.id, due_at=now)
                    job.is_state_trimmed = True
                    logger.info("job %s: its training state was trimmed", job.job_uid)

    async def _delete_object(self, uri: str) -> bool:
        name = uri.removesuffix("/")
        try:
            if self._store.contains(name) and name != uri:
                await self._delete_folder(name)
            elif self._store.contains(name):
                await anyio.to_thread.run_sync(self._store.delete, uri)
        except StorageError as error:
            logger.warning("%s cannot be deleted now: %s", uri, error)
            return False
        return True
