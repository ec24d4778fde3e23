"""Frees what nothing names any more: deleted jobs with all their files, and replaced objects."""

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
from vision_api.training_jobs.loops import leases, repository
from vision_api.training_jobs.loops.retention import Retention, forget_events, list_with_stale_events
from vision_api.training_jobs.notifier import Wakeup

logger = logging.getLogger(__name__)

POLL_SECONDS = 5.0
TIDY_UP_SECONDS = 3600.0
SEEN_AS_DELETED = timedelta(seconds=5)
"""Followers of the project must see that a job was deleted before its row is gone."""
LOOK_AGAIN_AFTER = timedelta(days=1)
UNFINISHED_FOR = timedelta(days=1)
ANSWERS_KEPT = timedelta(days=1)
"""Of predictions and pre-flights."""


class SweepLoop:
    """Storage first, then the row: what is interrupted is done again."""

    def __init__(self, database: Database, store: ObjectStore, retention: Retention, *, owner: UUID) -> None:
        self._database = database
        self._store = store
        self._retention = retention
        self._tidy_up_at = 0.0
        self._owner = owner
        self._wakeup = Wakeup()

    async def wait(self) -> None:
        """There is no hurry."""
        await self._wakeup.wait(POLL_SECONDS)

    async def tick(self) -> None:
        """One round."""
        await self._remove_jobs()
        await self._delete_garbage()
        if time.monotonic() >= self._tidy_up_at:
            self._tidy_up_at = time.monotonic() + TIDY_UP_SECONDS
            await self._delete_unfinished()
            async with self._database.transaction() as session:
                await repository.delete_fleeting(session, ended_before=utc_now() - ANSWERS_KEPT)
            if self._retention.event_days:
                await self._forget_events()

    async def _remove_jobs(self) -> None:
        async with self._database.transaction() as session:
            jobs = await repository.lock_removable(session, before=utc_now() - SEEN_AS_DELETED)
            for job in jobs:
                leases.take(job, self._owner)
        for job in jobs:
            if await self._delete_files(job):
                await self._remove_rows(job)

    async def _remove_rows(self, job: TrainingJob) -> None:
        """In many short transactions: a million rows at once would keep everybody else waiting."""
        async with self._database.snapshot() as session:
            names = await repository.list_point_names(session, job.id)
        for name in names:
            async with self._database.transaction() as session:
                await repository.remove_points(session, job.id, name)
        for table in (LogLine, JobEvent):
            async with self._database.transaction() as session:
                await repository.remove_history(session, job.id, table)
        async with self._database.transaction() as session:
            look_again_at = utc_now() + LOOK_AGAIN_AFTER
            await repository.remove_job(session, job, owner=self._owner, look_again_at=look_again_at)

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
            due = await repository.list_garbage(session, due_before=utc_now())
        deleted = [uri for uri in due if await self._delete_object(uri)]
        if deleted:
            async with self._database.transaction() as session:
                await repository.forget_garbage(session, deleted)

    async def _delete_folder(self, uri: str) -> None:
        await anyio.to_thread.run_sync(self._store.delete_prefix, self._store.key(uri))

    async def _delete_unfinished(self) -> None:
        """What was begun to be stored by somebody who was killed over it."""
        delete = partial(self._store.delete_unfinished, before=utc_now() - UNFINISHED_FOR)
        if count := await anyio.to_thread.run_sync(delete):
            logger.info("deleted %d unfinished objects", count)

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
