"""Watcher that polls the database once a second, for all streams of this process together, for changes."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.db.listener import running_listener
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.clock import utc_now
from vision_api.training_jobs import repository
from vision_api.training_jobs.notifier import AutoResetEvent, Notifier

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RECENT = timedelta(seconds=30)
"""Delay within which a change becomes visible after its `updated_at`: clocks differ, and transactions take time."""

CHANGED = "training_job_changed"
REQUESTED = "training_job_asked"
"""Channels of migration 0004, whose triggers announce the id of each job that changes."""


class ChangeWatcher:
    """Notifies subscribers of changed jobs and projects: two statements a second, however many streams there are."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier
        self._job_states: dict[int, Hashable] = {}
        self._project_states: dict[int, Hashable] = {}
        self._since: dict[int, datetime] = {}
        self._closing = AutoResetEvent()

    async def run(self) -> None:
        """Poll until `close` is called."""
        while not await self._closing.wait(POLL_SECONDS):
            try:
                await self.poll()
            except DatabaseUnavailable:
                self._notifier.notify_all_subscribers()  # the streams ask the database themselves, and end
            except Exception:
                logger.exception("cannot poll for changes; retrying")

    def close(self) -> None:
        """End `run` between two polls."""
        self._closing.set()

    async def poll(self) -> None:
        """Poll once and notify the subscribers of each change since the last time."""
        jobs, projects = self._notifier.subscribed_jobs, self._notifier.subscribed_projects
        if not jobs and not projects:
            return
        async with self._database.snapshot() as session:
            job_states = await repository.list_last_event_ids(session, jobs) if jobs else {}
            project_states = await self._load_project_states(session, projects) if projects else {}
        for job_id in jobs:
            if job_id not in self._job_states or self._job_states[job_id] != job_states.get(job_id):
                self._notifier.notify_job_changed(job_id)
        for project_id in projects:
            is_new = project_id not in self._project_states
            if is_new or self._project_states[project_id] != project_states[project_id]:
                self._notifier.notify_project_changed(project_id)
        self._job_states = {job_id: job_states.get(job_id) for job_id in jobs}
        self._project_states = project_states

    async def _load_project_states(self, session: AsyncSession, projects: set[int]) -> dict[int, Hashable]:
        """Return the recent changes of each project: equal to the last ones if there are no new ones."""
        self._since = {project_id: self._since.get(project_id) or utc_now() for project_id in projects}
        rows = await repository.list_recent_changes(
            session, {project_id: since - RECENT for project_id, since in self._since.items()}
        )
        states: dict[int, Hashable] = {}
        for project_id in projects:
            own = [row for row in rows if row.project_id == project_id]
            self._since[project_id] = max((row.updated_at for row in own), default=self._since[project_id])
            oldest = self._since[project_id] - RECENT
            states[project_id] = frozenset(
                (row.id, row.updated_at, row.last_event_id) for row in own if row.updated_at > oldest
            )
        return states


@asynccontextmanager
async def running_change_watcher(database: Database, notifier: Notifier) -> AsyncGenerator[None]:
    """Notify this process's subscribers of changes that any process commits.

    On PostgreSQL every commit announces its changes; the polling continues beside that. The same connection listens on
    the shared channels of the database that are known by now: those of workers.
    """
    channels = {CHANGED: notifier.on_job_changed, REQUESTED: notifier.on_job_requested, **database.shared_channels}
    async with AsyncExitStack() as parts:
        await parts.enter_async_context(
            running_listener(database.engine, channels, on_connected=notifier.notify_all_subscribers)
        )
        watcher = ChangeWatcher(database, notifier)
        watching = asyncio.create_task(watcher.run(), name="change-watcher")
        try:
            yield
        finally:
            watcher.close()
            await watching
