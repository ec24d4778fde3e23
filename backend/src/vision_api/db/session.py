"""Sessions of the database. This is the only module that commits."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, nullcontext

from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from vision_api.db.data_version import DataVersion
from vision_api.db.engine import BEGIN_OPTION
from vision_api.errors import DatabaseUnavailable

_ANNOUNCEMENTS = "announcements"


class Database:
    """The database: transactions for writing and snapshots for reading, both short.

    A connection is taken at the first statement, so that opening a session costs nothing. SQLite has one writer;
    ours queue for it in this process, which is faster and fairer than its busy handler.
    """

    def __init__(self, engine: AsyncEngine, *, lock_timeout_seconds: float = 10.0) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._lock_timeout_seconds = lock_timeout_seconds
        self._write_lock = asyncio.Lock()
        self._listeners: defaultdict[str, Callable[[int], None]] = defaultdict(lambda: _ignore)
        self.shared_channels: dict[str, Callable[[str], None]] = {}
        """Listeners of this process to what other backends commit, by channel of PostgreSQL."""
        self._data_version = DataVersion(engine.url)
        self._prepare_writing: Callable[[], object] = lambda: None
        if self.is_sqlite:
            self._reader = engine
            self._writer = engine.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"})
        else:
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._writer = engine

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """Open a session for writing: it commits at the end, and rolls back on any exception.

        What was registered by `announce_after_commit` is sent once it has committed.

        Raises DatabaseUnavailable.
        """
        self._prepare_writing()
        async with (
            self._writer_turn() if self.is_sqlite else nullcontext(),
            _as_unavailable(),
            AsyncSession(self._writer, expire_on_commit=False) as session,
        ):
            async with session.begin():
                yield session
            for channel, subject_id in session.info.get(_ANNOUNCEMENTS, ()):
                self._listeners[channel](subject_id)

    def before_writing(self, prepare: Callable[[], object]) -> None:
        """Call `prepare` before each transaction. It must not take longer than a statement."""
        self._prepare_writing = prepare

    def on_committed(self, channel: str, listener: Callable[[int], None], *, is_shared: bool = False) -> None:
        """Call `listener` with the id of each announcement of the channel, once it is committed here.

        That of a shared channel also hears other backends, if the announcement is a `NOTIFY` too.
        """
        self._listeners[channel] = listener
        if is_shared:
            self.shared_channels[channel] = lambda payload: listener(int(payload))

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[AsyncSession]:
        """Open a session for reading: every statement sees the same state. Nothing is committed.

        Raises DatabaseUnavailable.
        """
        async with _as_unavailable(), AsyncSession(self._reader, expire_on_commit=False) as session:
            yield session

    def version(self) -> int | None:
        """Return a number that is the same as long as no data have changed; None if it is unknown: read again.

        Only SQLite has one: with PostgreSQL the query would take as long as reading.
        """
        return self._data_version.current()

    async def close(self) -> None:
        """Close every connection."""
        self._data_version.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def _writer_turn(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._lock_timeout_seconds):
                await self._write_lock.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable("The database is busy. Try again shortly.") from error
        try:
            yield
        finally:
            self._write_lock.release()


def announce_after_commit(session: AsyncSession, channel: str, subject_id: int) -> None:
    """Register an announcement to the listener of a channel in this process; a rollback drops it."""
    session.info.setdefault(_ANNOUNCEMENTS, {})[channel, subject_id] = None


def _ignore(_subject_id: int) -> None:
    return


@asynccontextmanager
async def _as_unavailable() -> AsyncGenerator[None]:
    """Raise DatabaseUnavailable if the pool has no free connection within its time-out.

    Of a task that is being cancelled, it is CancelledError: a driver that is cancelled within a statement may answer
    with an error of its own, which a loop would take for an outage and retry.
    """
    try:
        yield
    except (exc.TimeoutError, DatabaseUnavailable) as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error
        if isinstance(error, DatabaseUnavailable):
            raise
        raise DatabaseUnavailable("Every database connection is in use. Try again shortly.") from error
