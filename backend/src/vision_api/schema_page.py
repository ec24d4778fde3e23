"""Command that describes the tables: `python -m vision_api.schema_page > docs/architecture/DATABASE_SCHEMA.md`."""

import sys
from collections.abc import Iterator

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from vision_api.models import TrainingJob

HEAD = """# Database schema

Made from the ORM models in `backend/src/vision_api/models` by `make docs`; a test fails when it is old. Types are
PostgreSQL's; SQLite has the same tables. Migrations are in `backend/migrations`.
"""

_DIALECT = postgresql.dialect()


def describe_schema() -> str:
    """Return the whole page."""
    tables = sorted(TrainingJob.metadata.tables.values(), key=lambda table: table.name)
    parts = [HEAD, "\n".join(_diagram(tables)), *("\n".join(_section(table)) for table in tables)]
    return "\n".join(part + "\n" for part in parts)


def _diagram(tables: list[Table]) -> Iterator[str]:
    yield "```mermaid"
    yield "erDiagram"
    for table in tables:
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
            yield f"    {key.column.table.name} ||--o{{ {table.name} : {key.parent.name}"
    yield "```"


def _section(table: Table) -> Iterator[str]:
    yield f"## {table.name}\n"
    if purpose := _purpose(table):
        yield f"{purpose}\n"
    yield "| column | type | null | key |"
    yield "|---|---|---|---|"
    yield from (_row(column) for column in table.columns)
    indexes = sorted((index.name or "", [column.name for column in index.columns]) for index in table.indexes)
    if indexes:
        yield ""
        yield from (f"- index `{name}`: {', '.join(columns)}" for name, columns in indexes)


def _purpose(table: Table) -> str:
    """Return the first line of the ORM model's docstring."""
    for mapper in TrainingJob.registry.mappers:
        if mapper.local_table is table:
            return (mapper.class_.__doc__ or "").strip().partition("\n")[0]
    return ""


def _row(column: Column[object]) -> str:
    references = [f"→ {key.column.table.name}.{key.column.name}" for key in column.foreign_keys]
    key = " ".join(["primary"] * column.primary_key + references)
    return f"| {column.name} | {column.type.compile(_DIALECT)} | {'yes' if column.nullable else ''} | {key} |"


if __name__ == "__main__":
    sys.stdout.write(describe_schema())
