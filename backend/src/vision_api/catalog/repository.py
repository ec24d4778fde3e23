"""Statements about the table `catalog_snapshots`."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.models import CatalogSnapshot
from vision_contracts import ModelList


async def list_snapshots(session: AsyncSession) -> Sequence[CatalogSnapshot]:
    """Return every stored catalogue."""
    return (await session.scalars(select(CatalogSnapshot))).all()


async def put_snapshot(session: AsyncSession, models: ModelList, *, service: str, etag: str) -> None:
    """Store a framework's catalogue in place of the one before."""
    await session.merge(
        CatalogSnapshot(
            framework=models.framework,
            service=service,
            framework_version=models.framework_version,
            etag=etag,
            body=models.model_dump_json(),
            fetched_at=utc_now(),
        )
    )
