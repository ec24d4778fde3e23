"""Many rows with one statement, as each database takes them fastest."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession


async def write_rows(
    session: AsyncSession,
    table: Table,
    rows: Sequence[dict[str, Any]],
    *,
    replacing: Sequence[str] = (),
) -> None:
    """Insert `rows`, all of the same columns. With `replacing`, a row whose primary key is there already gives it its
    values of these columns.

    PostgreSQL gets each column as one array: it is asked once, not once for each row.
    """
    if not rows:
        return
    connection = await session.connection()
    columns = list(rows[0])
    if connection.dialect.name == "sqlite":
        new: Any = sqlite.insert(table)
        values: Any = rows
    else:
        arrays = [bindparam(name, type_=postgresql.ARRAY(table.c[name].type)) for name in columns]
        given = func.unnest(*arrays).table_valued(*columns).render_derived()
        new = postgresql.insert(table).from_select(columns, select(*(given.c[name] for name in columns)))
        values = {name: [row[name] for row in rows] for name in columns}
    if replacing:
        keys = [column.name for column in table.primary_key]
        new = new.on_conflict_do_update(index_elements=keys, set_={name: new.excluded[name] for name in replacing})
    await connection.execute(new, values)
