"""The engine for SQLite and PostgreSQL: addresses, time-outs, and failures that become DatabaseUnavailable."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import URL, event, make_url
from sqlalchemy.engine import Connection, Dialect, ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from vision_api.config import Settings
from vision_api.db import network_guard
from vision_api.errors import DatabaseUnavailable

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
BUSY_MILLISECONDS = 5000
WAL_RETRY_SECONDS = 0.02
BEGIN_OPTION = "sqlite_begin"

_LIBPQ_ONLY = ("channel_binding", "gssencmode", "connect_timeout")
_SQLITE_UNAVAILABLE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
)
_POSTGRESQL_UNAVAILABLE = ("08", "40", "53", "57")
"""Classes of SQLSTATE: connection, rollback (of one of two that wait for each other), resources (disk, memory,
connections), intervention (shut-down, time-out). All may go well a moment later.
"""


def database_url(given: str) -> URL:
    """Return the address for our drivers: `postgres://…?sslmode=require`, as hosts give it, is understood."""
    url = make_url(given)
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite")
    if url.drivername.partition("+")[0] not in ("postgres", "postgresql"):
        raise ValueError(f"DATABASE_URL must begin with sqlite or postgresql, not with {url.drivername}.")
    query = {name: value for name, value in url.query.items() if name not in _LIBPQ_ONLY}
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return url.set(drivername="postgresql+asyncpg", query=query)


def make_engine(settings: Settings, *, busy_milliseconds: int = BUSY_MILLISECONDS) -> AsyncEngine:
    """Return an engine that has not connected yet. SQLite waits `busy_milliseconds` for another process."""
    url = database_url(settings.database_url)
    common: dict[str, Any] = {
        "pool_size": settings.database_pool_size,
        "max_overflow": settings.database_max_overflow,
        "pool_timeout": settings.database_pool_timeout_seconds,
    }
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, **common)
        _prepare_sqlite(engine, url, busy_milliseconds)
    else:
        engine = create_async_engine(
            url,
            pool_pre_ping=True,
            pool_recycle=1800,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": STATEMENT_SECONDS,
                "server_settings": {"application_name": "vision-api", "idle_in_transaction_session_timeout": "60000"},
            },
            **common,
        )
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "handle_error", _translate)
    network_guard.watch(engine.sync_engine)
    return engine


def _prepare_sqlite(engine: AsyncEngine, url: URL, busy_milliseconds: int) -> None:
    """Turn on WAL, and transactions that say at once whether they will write.

    A deferred transaction that upgrades its lock fails in spite of busy_timeout, so writers begin IMMEDIATE.
    """
    if url.database and not url.query:  # a query may make it a `file:` URI, which is no path
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {busy_milliseconds}")
        _turn_on_wal(cursor, busy_milliseconds)
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(BEGIN_OPTION, "BEGIN"))


def _turn_on_wal(cursor: Any, busy_milliseconds: int) -> None:
    """Turn on WAL. A new file changes its mode for one connection at a time, and SQLite does not wait for that."""
    give_up_at = time.monotonic() + busy_milliseconds / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            await_only(asyncio.sleep(WAL_RETRY_SECONDS))
        else:
            return


def _connect(dialect: Dialect, _record: Any, arguments: Any, parameters: Any) -> Any:
    """Connect. Raises DatabaseUnavailable for every failure, from a refused socket to a wrong password."""
    driver: Any = dialect.loaded_dbapi
    try:
        return dialect.connect(*arguments, **parameters)
    except (OSError, TimeoutError, driver.Error, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable from error


def _translate(context: ExceptionContext) -> None:
    """Raise DatabaseUnavailable for a lost connection, a lock that never came free or a full disk."""
    error = context.original_exception
    if context.is_disconnect or any(map(_is_unavailable, (error, error.__cause__))):
        raise DatabaseUnavailable from error


def _is_unavailable(error: BaseException | None) -> bool:
    sqlite_code: int = getattr(error, "sqlite_errorcode", None) or 0
    state = str(getattr(error, "sqlstate", None) or "")
    return (
        isinstance(error, TimeoutError)
        or sqlite_code & 0xFF in _SQLITE_UNAVAILABLE
        or state[:2] in _POSTGRESQL_UNAVAILABLE
    )
