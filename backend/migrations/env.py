"""How Alembic meets our models: with a connection of `vision_api.migrate`, or with one of its own."""

import asyncio
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, Enum

from vision_api import models  # noqa: F401 - makes every table known
from vision_api.config import load_settings
from vision_api.db.base import Base, UtcDateTime
from vision_api.db.engine import make_engine


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """A migration must not change when our own types do, and our enumerations are plain text in the database."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Enum):
        return f"sa.String(length={item.length})"
    return False


def run_migrations(connection: Connection) -> None:
    """Bring the database to the wanted revision."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_with_own_connection() -> None:
    """For the command line of Alembic."""
    engine = make_engine(load_settings())
    async with engine.begin() as connection:
        await connection.run_sync(run_migrations)
    await engine.dispose()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run_migrations(given)
else:
    asyncio.run(run_with_own_connection())
