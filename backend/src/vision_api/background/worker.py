"""Workers that process the rows of a table in the background: users take turns, and some rows side by side."""

import asyncio
import logging
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import StorageError
from vision_api.background import repository
from vision_api.background.leases import Claim, Claimable, Turns
from vision_api.background.process import ProcessCrashed, ProcessTimedOut
from vision_api.background.progress import Progress, Stopped
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
REPORT_SECONDS = 1.0
EXPECTED_ERRORS = (StorageError, OSError, ProcessCrashed, ProcessTimedOut)

RowT = TypeVar("RowT", bound=Claimable)
ClaimT = TypeVar("ClaimT", bound=Claim)
ResultT = TypeVar("ResultT")


def retry_delay(back_off: Sequence[float], tries: int) -> float | None:
    """Return the seconds until the next try, or None if that was the last one."""
    return back_off[tries - 1] if tries <= len(back_off) else None


@dataclass(frozen=True)
class _Running:
    """A row that is being processed."""

    user_id: int
    progress: Progress


class Worker(ABC, Generic[RowT, ClaimT, ResultT]):
    """Processes the next waiting row, again and again. State is in the rows only: when the process is killed, the row
    stays as it was and is processed again after its lease.
    """

    name: ClassVar[str]

    def __init__(self, database: Database, model: type[RowT], folder: Path, *, at_once: int = 1) -> None:
        self._database = database
        self._model = model
        self._folder = folder
        self._at_once = at_once
        self._wakeup = asyncio.Event()
        self._is_closing = False
        self._running: dict[tuple[int, int], _Running] = {}

    @abstractmethod
    async def read_claim(self, session: AsyncSession, row: RowT) -> ClaimT:
        """Return the claim on a row, with all that its processing needs."""

    @abstractmethod
    async def work(self, claim: ClaimT, folder: Path, progress: Progress) -> ResultT:
        """Process a row outside of sessions; `folder` is empty, and deleted afterwards."""

    @abstractmethod
    async def apply_result(self, claim: ClaimT, result: ResultT, folder: Path) -> None:
        """Write a result into the row, if the claim still holds."""

    @abstractmethod
    async def apply_error(self, claim: ClaimT, error: Exception) -> None:
        """Schedule a retry, or mark the row as failed, if the claim still holds."""

    def progress_columns(self, progress: Progress) -> Mapping[str, Any]:
        """Return the columns that show the progress; none by default."""
        del progress
        return {}

    def small_rows(self) -> ColumnElement[bool] | None:
        """Return the condition of rows that take seconds; None if any may take long. The last one of several rows at
        once is kept for them: they wait for no large one.
        """
        return None

    async def clean_up(self) -> None:
        """Clean up when no row waits; nothing by default."""
        return

    def wake(self) -> None:
        """Check for new rows now."""
        self._wakeup.set()

    async def process_next(self) -> bool:
        """Process one row; return whether there was one."""
        claim = await self.claim_next()
        if claim is not None:
            await self._process_claim(claim)
        return claim is not None

    async def claim_next(self) -> ClaimT | None:
        """Claim the next row. Users take turns, and none has all places."""
        async with self._database.transaction() as session:
            row = await repository.claim_next(session, self._model, lease_seconds=LEASE_SECONDS, turns=self._turns())
            if row is None:
                return None
            user_id, claim = row.created_by_id, await self.read_claim(session, row)
        self._running[claim.key] = _Running(user_id, Progress())
        return claim

    def _turns(self) -> Turns:
        running = Counter(each.user_id for each in self._running.values())
        if self._at_once == 1:
            return Turns(running)
        is_last_place = len(self._running) >= self._at_once - 1
        return Turns(running, max(1, self._at_once - 2), self.small_rows() if is_last_place else None)

    async def _process_claim(self, claim: ClaimT) -> None:
        log.info("%s: row %d, try %d", self.name, claim.row_id, claim.tries)
        try:
            async with self._empty_folder() as folder:
                await self._process(claim, folder, self._running[claim.key].progress)
        except (asyncio.CancelledError, Stopped):
            await asyncio.shield(self._put_back(claim))
            raise
        finally:
            del self._running[claim.key]

    @asynccontextmanager
    async def _empty_folder(self) -> AsyncGenerator[Path]:
        self._folder.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _process(self, claim: ClaimT, folder: Path, progress: Progress) -> None:
        try:
            async with self._heartbeat(claim, progress):
                result = await self.work(claim, folder, progress)
        except Stopped:
            raise
        except Exception as error:
            if not isinstance(error, EXPECTED_ERRORS):
                log.exception("%s: row %d met an error in this program", self.name, claim.row_id)
            await self.apply_error(claim, error)
        else:
            await self.apply_result(claim, result, folder)

    async def _put_back(self, claim: ClaimT) -> None:
        """Release the claim because the worker stops: another may begin at once, and this try does not count."""
        async with self._database.transaction() as session:
            row = await repository.lock_claimed(session, self._model, claim)
            if row is not None:
                row.tries -= 1
                row.release()

    @asynccontextmanager
    async def _heartbeat(self, claim: ClaimT, progress: Progress) -> AsyncGenerator[None]:
        """Renew the lease while the context lasts, and no longer: a late renewal would delay a retry."""
        renewing = asyncio.create_task(self._renew(claim, progress))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait({renewing})

    async def _renew(self, claim: ClaimT, progress: Progress) -> None:
        """Write the progress into the row when it has changed, and renew the lease in time."""
        written: Mapping[str, Any] = {}
        written_at = asyncio.get_running_loop().time()
        while True:
            now, columns = asyncio.get_running_loop().time(), self.progress_columns(progress)
            if columns != written or now - written_at >= RENEW_SECONDS:
                with suppress(DatabaseUnavailable):
                    written, written_at = columns, now
                    async with self._database.transaction() as session:
                        await repository.renew(session, self._model, claim, lease_seconds=LEASE_SECONDS, **columns)
            await asyncio.sleep(REPORT_SECONDS)

    async def run(self) -> None:
        """Process rows until `close`, several at once."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            while not self._is_closing:
                async with self._survive():
                    await self._fill(tasks)
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wakeup.wait()
                self._wakeup.clear()
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _fill(self, tasks: "set[asyncio.Task[None]]") -> None:
        """Claim rows until none waits or every place is taken; each ends in a task of its own."""

        def end(task: "asyncio.Task[None]") -> None:
            tasks.discard(task)
            self.wake()

        while not self._is_closing and len(tasks) < self._at_once:
            claim = await self.claim_next()
            if claim is None:
                await self.clean_up()
                return
            task = asyncio.create_task(self._process_and_survive(claim))
            tasks.add(task)
            task.add_done_callback(end)
            await asyncio.sleep(0)  # let it begin: a task that is cancelled before would not put its row back

    async def _process_and_survive(self, claim: ClaimT) -> None:
        async with self._survive():
            await self._process_claim(claim)

    @asynccontextmanager
    async def _survive(self) -> AsyncGenerator[None]:
        """Log what went wrong: the row, or the next round, comes again."""
        try:
            yield
        except (DatabaseUnavailable, StorageError) as error:
            log.warning("%s wait: %s", self.name, error)
        except Exception:
            if not self._is_closing:
                log.exception("%s failed in this round", self.name)

    async def close(self, running: "asyncio.Task[None]") -> None:
        """End `run`, also in the middle of rows, and their work in threads."""
        self._is_closing = True
        for each in self._running.values():
            each.progress.is_stopped = True
        self._wakeup.set()
        running.cancel()
        await asyncio.wait({running})

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run the worker in a task, woken by commits of rows that wait.

        A row that it is at when the context ends is processed again later.
        """
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        if self._database.is_sqlite:  # no other backend can be running
            async with self._database.transaction() as session:
                await repository.release_all(session, self._model)
        self._database.on_committed(self._model.__tablename__, lambda _row_id: self.wake(), is_shared=True)
        task = asyncio.create_task(self.run(), name=self.name)
        try:
            yield
        finally:
            await self.close(task)
