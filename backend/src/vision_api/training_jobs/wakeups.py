"""Wake-ups within this process: they spare waiting for the next poll. A lost one costs a second, never a job."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager

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

    async def wait(self, timeout_seconds: float) -> None:
        """Return when woken, or after the time-out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        self._event.clear()


class Wakeups:
    """The loops and the followers of this process."""

    def __init__(self) -> None:
        self.dispatch = Wakeup()
        self.collect = Wakeup()
        self.reconcile = Wakeup()
        self._followers: dict[int, set[Wakeup]] = defaultdict(set)

    def wake_loops(self) -> None:
        """A user asked for something, or an instance came or went."""
        self.dispatch.set()
        self.collect.set()
        self.reconcile.set()

    def job_changed(self, job_id: int) -> None:
        """Somebody may be waiting for the next event of this job."""
        for follower in self._followers.get(job_id, ()):
            follower.set()

    def job_asked(self, job_id: int) -> None:
        """A user has asked something of a job: everybody may have something to do."""
        self.wake_loops()
        self.job_changed(job_id)

    def after_commit(self, session: AsyncSession, job_id: int) -> None:
        """As `job_asked`, once what `session` changes can be seen."""

        def wake(_session: Session) -> None:
            self.job_asked(job_id)

        event.listen(session.sync_session, "after_commit", wake, once=True)

    @contextmanager
    def following(self, job_id: int) -> Generator[Wakeup]:
        """A wake-up that is set by every new event of a job."""
        wakeup = Wakeup()
        self._followers[job_id].add(wakeup)
        try:
            yield wakeup
        finally:
            self._followers[job_id].discard(wakeup)
            if not self._followers[job_id]:
                del self._followers[job_id]
