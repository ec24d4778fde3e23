"""Looks once a second, for all streams of this process together, at what they follow."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.db.listener import running_listener
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.clock import utc_now
from vision_api.training_jobs import repository
from vision_api.training_jobs.notifier import Notifier

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RECENT = timedelta(seconds=30)
"""A change may become visible this long after its `updated_at`: clocks differ, and transactions take time."""

CHANGED = "training_job_changed"
ASKED = "training_job_asked"
"""The channels of migration 0004, whose triggers announce the id of each job that changes."""


class ChangeWatcher:
    """Wakes the streams whose job or project has changed: two statements a second, however many streams there are."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier
        self._jobs: dict[int, Hashable] = {}
        self._projects: dict[int, Hashable] = {}
        self._since: dict[int, datetime] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.look()
            except DatabaseUnavailable:
                self._notifier.notify_all_subscribers()  # each of them finds out, and ends
            except Exception:
                logger.exception("cannot look at what is followed; it is tried again")

    async def look(self) -> None:
        """One round."""
        jobs, projects = self._notifier.subscribed_jobs, self._notifier.subscribed_projects
        if not jobs and not projects:
            return
        async with self._database.snapshot() as session:
            job_states = await repository.list_last_event_ids(session, jobs) if jobs else {}
            project_states = await self._project_states(session, projects) if projects else {}
        for job_id in jobs:
            if job_id not in self._jobs or self._jobs[job_id] != job_states.get(job_id):
                self._notifier.job_changed(job_id)
        for project_id in projects:
            if project_id not in self._projects or self._projects[project_id] != project_states[project_id]:
                self._notifier.project_changed(project_id)
        self._jobs = {job_id: job_states.get(job_id) for job_id in jobs}
        self._projects = project_states

    async def _project_states(self, session: AsyncSession, projects: set[int]) -> dict[int, Hashable]:
        """What has changed lately in each project: the same as before if nothing has."""
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
    """Wake whoever follows a job that anybody changes, in whichever process.

    On PostgreSQL other backends announce their changes, as each commits. Looking goes on beside that.
    """
    channels = {CHANGED: notifier.job_announced, ASKED: notifier.ask_announced}
    async with AsyncExitStack() as parts:
        await parts.enter_async_context(
            running_listener(database.engine, channels, on_connected=notifier.notify_all_subscribers)
        )
        watching = asyncio.create_task(ChangeWatcher(database, notifier).run(), name="watch")
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
