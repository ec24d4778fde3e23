"""Notifications within this process that wake loops and streams before their next poll. A lost one costs a second.

Changes that other processes commit come in through `streaming/change_watcher.py`.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager


class AutoResetEvent:
    """An event that one task waits for, for a bounded time, and that is cleared when the wait returns."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the waiting task, or else let the next wait return at once."""
        self._event.set()

    async def wait(self, timeout_seconds: float) -> bool:
        """Wait until the event is set or the time is over. Returns True if it was set."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        was_set = self._event.is_set()
        self._event.clear()
        return was_set


class Notifier:
    """Notifies the loops of this process, and the subscribers of jobs and projects, of changes."""

    def __init__(self) -> None:
        self.dispatch = AutoResetEvent()
        self.collect = AutoResetEvent()
        self.reconcile = AutoResetEvent()
        self._job_subscribers: dict[int, set[AutoResetEvent]] = defaultdict(set)
        self._project_subscribers: dict[int, set[AutoResetEvent]] = defaultdict(set)

    @property
    def subscribed_jobs(self) -> set[int]:
        """Ids of the jobs that have subscribers in this process."""
        return set(self._job_subscribers)

    @property
    def subscribed_projects(self) -> set[int]:
        """Ids of the projects that have subscribers in this process."""
        return set(self._project_subscribers)

    def wake_loops(self) -> None:
        """Wake dispatch, collect and reconcile: a user made a request, or an instance came or went."""
        self.dispatch.set()
        self.collect.set()
        self.reconcile.set()

    def notify_job_changed(self, job_id: int) -> None:
        """Wake the subscribers of a job."""
        for subscriber in self._job_subscribers.get(job_id, ()):
            subscriber.set()

    def notify_project_changed(self, project_id: int) -> None:
        """Wake the subscribers of a project of which a job has changed."""
        for subscriber in self._project_subscribers.get(project_id, ()):
            subscriber.set()

    def notify_all_subscribers(self) -> None:
        """Wake every subscriber: a notification may have been missed."""
        for subscribers in (*self._job_subscribers.values(), *self._project_subscribers.values()):
            for subscriber in subscribers:
                subscriber.set()

    def notify_job_requested(self, job_id: int) -> None:
        """Wake the loops and the subscribers of a job about which a user has made a request."""
        self.wake_loops()
        self.notify_job_changed(job_id)

    def on_job_changed(self, job_id: str) -> None:
        """Handle the announcement that a backend has committed a change of a job."""
        self.notify_job_changed(int(job_id))

    def on_job_requested(self, _job_id: str) -> None:
        """Handle the announcement that a backend has committed a request about a job."""
        self.wake_loops()

    def subscribe_job(self, job_id: int) -> AbstractContextManager[AutoResetEvent]:
        """Subscribe to a job: the event is set by every change of it."""
        return _subscribe(self._job_subscribers, job_id)

    def subscribe_project(self, project_id: int) -> AbstractContextManager[AutoResetEvent]:
        """Subscribe to a project: the event is set by every change of its jobs."""
        return _subscribe(self._project_subscribers, project_id)


@contextmanager
def _subscribe(subscribers: dict[int, set[AutoResetEvent]], subject_id: int) -> Generator[AutoResetEvent]:
    changed = AutoResetEvent()
    subscribers[subject_id].add(changed)
    try:
        yield changed
    finally:
        subscribers[subject_id].discard(changed)
        if not subscribers[subject_id]:
            del subscribers[subject_id]
