"""Dump and load of PostgreSQL: COPY of each table in one snapshot, which works with every version of the server.

`pg_dump` would have to be at least as new as the server, and the backend's image has none.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import AsyncConnection

from vision_api.backup.archive import BackupError

COPY_SECONDS = 24 * 3600.0
VERSION_TABLE = "alembic_version"

Driver = Any
"""asyncpg's connection, which has no types."""


async def dump(connection: AsyncConnection, folder: Path) -> dict[str, int]:
    """Write a CSV of each table in one snapshot, and return the last number of each sequence."""
    driver = await _driver(connection)
    async with driver.transaction(isolation="repeatable_read", readonly=True):
        tables = await driver.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        for (table,) in tables:
            if table != VERSION_TABLE:
                await driver.copy_from_table(
                    table, output=folder / f"{table}.csv", format="csv", header=True, timeout=COPY_SECONDS
                )
        sequences = await driver.fetch(
            "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()"
        )
    return {name: last for name, last in sequences if last is not None}


async def is_empty(connection: AsyncConnection) -> bool:
    """Return whether the database has no user."""
    driver = await _driver(connection)
    if await driver.fetchval("SELECT to_regclass('users')") is None:
        return True
    return await driver.fetchval("SELECT 1 FROM users LIMIT 1") is None


async def require_alone(connection: AsyncConnection) -> None:
    """Raise BackupError while a backend is connected."""
    driver = await _driver(connection)
    others = await driver.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'vision-api'"
        " AND pid <> pg_backend_pid()"
    )
    if others:
        raise BackupError("a backend is connected to this database. Stop every backend first")


async def clear(connection: AsyncConnection) -> None:
    """Drop all tables and functions of the schema."""
    driver = await _driver(connection)
    async with driver.transaction():
        for (table,) in await driver.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"):
            await driver.execute(f'DROP TABLE "{table}" CASCADE')
        functions = "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
        for (function,) in await driver.fetch(functions):
            await driver.execute(f"DROP FUNCTION IF EXISTS {function} CASCADE")


async def load(connection: AsyncConnection, folder: Path, sequences: dict[str, int]) -> None:
    """Load all tables, or none, into the empty schema of the backup's revision."""
    tables = await connection.run_sync(_sorted_tables)
    await connection.rollback()
    driver = await _driver(connection)
    async with driver.transaction():
        for table in tables:
            source = folder / f"{table}.csv"
            if source.exists():
                await _load_table(driver, table, source)
        for name, last in sequences.items():
            await driver.execute("SELECT setval($1::regclass, $2)", name, last)


async def _load_table(driver: Driver, table: str, source: Path) -> None:
    with source.open() as file:
        columns = file.readline().strip().split(",")
    await driver.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
    await driver.copy_to_table(table, source=source, columns=columns, format="csv", header=True, timeout=COPY_SECONDS)
    await driver.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')


def _sorted_tables(connection: Connection) -> Sequence[str]:
    """Return the tables in an order in which rows come after those that they refer to."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table.name for table in metadata.sorted_tables if table.name != VERSION_TABLE]


async def _driver(connection: AsyncConnection) -> Driver:
    return (await connection.get_raw_connection()).driver_connection
