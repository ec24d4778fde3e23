"""Statements about resumable uploads."""

from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.models import ResumableUpload


async def get_upload(session: AsyncSession, *, user_id: int, upload_id: UUID) -> ResumableUpload | None:
    """Return the user's own upload, unless it has expired."""
    return await session.scalar(_own(user_id, upload_id))


async def lock_upload(session: AsyncSession, *, user_id: int, upload_id: UUID) -> ResumableUpload | None:
    """Return and lock the upload as `get_upload`, so that no other transaction changes it until this one ends."""
    return await session.scalar(_own(user_id, upload_id).with_for_update())


def _own(user_id: int, upload_id: UUID) -> Select[ResumableUpload]:
    is_live = ResumableUpload.expires_at > utc_now()
    return select(ResumableUpload).where(ResumableUpload.id == upload_id, ResumableUpload.user_id == user_id, is_live)


async def count_open(session: AsyncSession, *, user_id: int) -> int:
    """Return the number of a user's uploads that are not complete."""
    is_open = (ResumableUpload.offset < ResumableUpload.length) & (ResumableUpload.expires_at > utc_now())
    statement = select(func.count()).select_from(ResumableUpload).where(ResumableUpload.user_id == user_id, is_open)
    return await session.scalar(statement) or 0


async def list_upload_ids(session: AsyncSession) -> set[UUID]:
    """Return the ids of all uploads."""
    return set(await session.scalars(select(ResumableUpload.id)))


async def delete_expired(session: AsyncSession) -> list[ResumableUpload]:
    """Delete and return uploads past their time of expiry, finished ones too."""
    statement = delete(ResumableUpload).where(ResumableUpload.expires_at < utc_now()).returning(ResumableUpload)
    return list(await session.scalars(statement))
