"""Statements about resumable uploads."""

from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.models import ResumableUpload


async def get_upload(session: AsyncSession, *, user_id: int, upload_id: UUID) -> ResumableUpload | None:
    """The user's own, unless it has expired."""
    return await session.scalar(_own(user_id, upload_id))


async def lock_upload(session: AsyncSession, *, user_id: int, upload_id: UUID) -> ResumableUpload | None:
    """As `get_upload`; nobody else changes it until the transaction ends."""
    return await session.scalar(_own(user_id, upload_id).with_for_update())


def _own(user_id: int, upload_id: UUID) -> Select[ResumableUpload]:
    is_live = ResumableUpload.expires_at > utc_now()
    return select(ResumableUpload).where(ResumableUpload.id == upload_id, ResumableUpload.user_id == user_id, is_live)


async def list_upload_ids(session: AsyncSession) -> set[UUID]:
    """All of them."""
    return set(await session.scalars(select(ResumableUpload.id)))


async def remove_expired(session: AsyncSession) -> list[ResumableUpload]:
    """Those that nobody has gone on with, or asked after, for long enough; finished ones too."""
    statement = delete(ResumableUpload).where(ResumableUpload.expires_at < utc_now()).returning(ResumableUpload)
    return list(await session.scalars(statement))
