"""An old and a new backend at work on one PostgreSQL: each migration only adds what the one before can live without."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, func, insert, select
from sqlalchemy import types as sql

from vision_api.config import Settings
from vision_api.db.engine import make_engine
from vision_api.migrate import MIGRATIONS, upgrade

VALUES: tuple[tuple[type[sql.TypeEngine[Any]], Any], ...] = (
    (sql.JSON, {}), (sql.Boolean, False), (sql.DateTime, datetime(2026, 1, 1, tzinfo=UTC)), (sql.Float, 0.5),
    (sql.Integer, 1), (sql.String, "x"),
)  # fmt: skip
WORDS = {"users.role": "user", "project_members.role": "owner", "status": "pending", "dataset_versions.status": "ready"}


def _revisions() -> list[str]:
    """Oldest first."""
    script = ScriptDirectory(str(MIGRATIONS))
    return [revision.revision for revision in reversed(list(script.walk_revisions()))]


def _reflect(connection: Connection) -> list[Table]:
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def _row(connection: Connection, table: Table) -> dict[str, Any]:
    """A row as a backend that knows these columns would write it: a value for each that needs one."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.foreign_keys:
            target = next(iter(column.foreign_keys)).column
            row[column.name] = connection.execute(select(target).order_by(target.desc()).limit(1)).scalar_one()
        elif not column.nullable and column.server_default is None:
            word = WORDS.get(f"{table.name}.{column.name}", WORDS.get(column.name))
            row[column.name] = word or _value(column.type)
    return row


def _value(kind: sql.TypeEngine[Any]) -> Any:
    if isinstance(kind, sql.Uuid):
        return uuid4()
    if isinstance(kind, sql.String) and (kind.length is None or kind.length >= 32):
        return uuid4().hex
    return next(value for known, value in VALUES if isinstance(kind, known))


def _write_as(connection: Connection, tables: list[Table]) -> dict[str, int]:
    """A row into each table, and how many each has then."""
    for table in tables:
        connection.execute(insert(table).values(_row(connection, table)))
    return {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}


def _read_as(connection: Connection, tables: list[Table]) -> None:
    """Every column that an old backend knows."""
    for table in tables:
        connection.execute(select(table)).all()


async def _run(settings: Settings, work: Any, *arguments: Any) -> Any:
    engine = make_engine(settings)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work, *arguments)
    finally:
        await engine.dispose()


@pytest.fixture
def settings(bare_postgresql_database: str, tmp_path: Path) -> Settings:
    return Settings(database_url=bare_postgresql_database, data_dir=tmp_path, service_urls={})


async def test_each_version_still_runs_after_the_next_ones_migration(settings: Settings) -> None:
    first, *later = _revisions()
    await upgrade(settings, to=first)
    known = await _run(settings, _reflect)
    counts = await _run(settings, _write_as, known)
    for revision in later:
        await upgrade(settings, to=revision)
        await _run(settings, _read_as, known)
        grown = await _run(settings, _write_as, known)
        assert {name: grown[name] for name in counts} == {name: count + 1 for name, count in counts.items()}, revision
        known = await _run(settings, _reflect)
        counts = await _run(settings, _write_as, known)
