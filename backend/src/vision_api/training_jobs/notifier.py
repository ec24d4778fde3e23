"""Wake-ups within this process: they spare waiting for the next poll. A lost one costs a second, never a job.

What happens in other processes comes in through `watching.py`.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session


class Wakeup:
    """Something to wait for, with a bound on the wait."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake whoever waits, or else whoever waits next."""
        self._event.set()

    async def wait(self, timeout_seconds: float) -> bool:
        """Return when woken, or after the time-out; True if woken."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        is_woken = self._event.is_set()
        self._event.clear()
        return is_woken


class Notifier:
    """The loops and the followers of this process."""

    def __init__(self) -> None:
        self.dispatch = Wakeup()
        self.collect = Wakeup()
        self.reconcile = Wakeup()
        self._subscribers: dict[int, set[Wakeup]] = defaultdict(set)
        self._project_subscribers: dict[int, set[Wakeup]] = defaultdict(set)

    @property
    def subscribed_jobs(self) -> set[int]:
        """The ids of the jobs that somebody here follows."""
        return set(self._subscribers)

    @property
    def subscribed_projects(self) -> set[int]:
        """The ids of the projects that somebody here follows."""
        return set(self._project_subscribers)

    def wake_loops(self) -> None:
        """A user asked for something, or an instance came or went."""
        self.dispatch.set()
        self.collect.set()
        self.reconcile.set()

    def job_changed(self, job_id: int) -> None:
        """Somebody may be waiting for the next event of this job."""
        for subscriber in self._subscribers.get(job_id, ()):
            subscriber.set()

    def project_changed(self, project_id: int) -> None:
        """A job of this project has changed."""
        for subscriber in self._project_subscribers.get(project_id, ()):
            subscriber.set()

    def notify_all_subscribers(self) -> None:
        """Everybody looks: something may have been missed."""
        for subscribers in (*self._subscribers.values(), *self._project_subscribers.values()):
            for subscriber in subscribers:
                subscriber.set()

    def job_announced(self, job_id: str) -> None:
        """Some backend has committed an event of this job."""
        self.job_changed(int(job_id))

    def ask_announced(self, _job_id: str) -> None:
        """Some backend has committed what loops may have to act upon."""
        self.wake_loops()

    def job_asked(self, job_id: int) -> None:
        """A user has asked something of a job: everybody may have something to do."""
        self.wake_loops()
        self.job_changed(job_id)

    def after_commit(self, session: AsyncSession, job_id: int) -> None:
        """As `job_asked`, once what `session` changes can be seen."""

        def wake(_session: Session) -> None:
            self.job_asked(job_id)

        event.listen(session.sync_session, "after_commit", wake, once=True)

    def subscribe(self, job_id: int) -> AbstractContextManager[Wakeup]:
        """A wake-up that is set by every new event of a job."""
        return _subscribe(self._subscribers, job_id)

    def subscribe_project(self, project_id: int) -> AbstractContextManager[Wakeup]:
        """A wake-up that is set by every change of a project's jobs."""
        return _subscribe(self._project_subscribers, project_id)


@contextmanager
def _subscribe(subscribers: dict[int, set[Wakeup]], subject_id: int) -> Generator[Wakeup]:
    wakeup = Wakeup()
    subscribers[subject_id].add(wakeup)
    try:
        yield wakeup
    finally:
        subscribers[subject_id].discard(wakeup)
        if not subscribers[subject_id]:
            del subscribers[subject_id]
