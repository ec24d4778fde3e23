"""A database and its files as an earlier release left them: `databases/<revision>/rows.jsonl`.

Its first line says which revision of the schema and which commit it is of. One line follows for each row of each table,
and for some small files in storage; `{folder}` stands for where everything lay. It was filled by real use of that
commit's API, with a training service of the fake framework beside it, and by hand where a status lasts but a moment. It
stays as it is for as long as a database of that release may be upgraded.

`answers.jsonl` beside it has what that commit's own API answered over it.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import CHAR, Column, Connection, DateTime, MetaData, Table, Uuid, func, null, select, text

from vision_api.config import Settings
from vision_api.db.engine import make_engine
from vision_api.migrate import upgrade

DATABASES = Path(__file__).with_name("databases")
FOLDER = "{folder}"


@dataclass
class OldDatabase:
    """`rows` by table, and `files` by their path in storage."""

    revision: str
    refresh_token: str
    """The access token of the owner's last sign-in."""
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    files: dict[str, bytes] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)
    """`{path, status, body}` of each GET of the owner's."""

    async def restore(self, settings: Settings) -> None:
        """Fill an empty database at the old revision, and the storage."""
        await upgrade(settings, to=self.revision)
        engine = make_engine(settings)
        async with engine.begin() as connection:
            await connection.run_sync(self._insert)
        await engine.dispose()
        for name, content in self.files.items():
            path = settings.data_dir / "storage" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _insert(self, connection: Connection) -> None:
        """Write the rows by the columns of that time, whatever today's models are."""
        schema = MetaData()
        schema.reflect(connection)
        for table in schema.sorted_tables:
            rows = [
                {name: _value(table.c[name], value) for name, value in row.items()} for row in self.rows[table.name]
            ]
            for row in rows:
                connection.execute(table.insert().values(row))
            if connection.dialect.name == "postgresql" and rows:
                _count_on(connection, table)


def read(folder: Path, place: Path) -> OldDatabase:
    """The database of one release, as if it had lain at `place`."""
    lines = _lines(folder / "rows.jsonl", place)
    head = lines[0]
    database = OldDatabase(head["revision"], head["refresh_token"], answers=_lines(folder / "answers.jsonl", place))
    for line in lines[1:]:
        if "table" in line:
            database.rows[line["table"]].append(line["row"])
        else:
            given = line.get("text")
            database.files[line["file"]] = base64.b64decode(line["base64"]) if given is None else given.encode()
    return database


def _lines(file: Path, place: Path) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().replace(FOLDER, str(place)).splitlines()]


def _value(column: Column[Any], value: Any) -> Any:
    if value is None:
        return null()
    if isinstance(column.type, DateTime):
        return datetime.fromisoformat(value)
    if isinstance(column.type, Uuid):
        return UUID(value)
    return UUID(value).hex if isinstance(column.type, CHAR) else value


def _count_on(connection: Connection, table: Table) -> None:
    """The next id follows the largest."""
    if "id" in table.c:
        sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, "id")))
        if sequence is not None:
            largest = connection.scalar(select(func.max(table.c.id)))
            connection.execute(text("SELECT setval(:sequence, :largest)"), {"sequence": sequence, "largest": largest})
