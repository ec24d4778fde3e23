"""Use cases of resumable uploads."""

import logging
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore
from vision_api.datasets import use_cases as datasets
from vision_api.datasets.access import get_dataset_for
from vision_api.datasets.repository import add_garbage
from vision_api.datasets.schemas import DatasetCreate
from vision_api.datasets.uploads.tus import repository
from vision_api.datasets.uploads.tus.metadata import UploadTarget, read_upload_target
from vision_api.datasets.use_cases import Origin
from vision_api.errors import Conflict, NotFound, QuotaExceeded
from vision_api.kit.clock import utc_now
from vision_api.models import ResumableUpload, User
from vision_api.projects.access import get_project_for
from vision_api.storage_layout import parts_folder

log = logging.getLogger(__name__)

EXPIRES_AFTER = timedelta(days=1)
MOST_OPEN = 100
"""Number of a user's uploads that are not complete. Requests that come at once may make it a few more."""
MOST_PARTS = 25_000
"""Number of parts of an upload: 20 GiB in requests of 1 MiB."""


async def create_upload(session: AsyncSession, *, user: User, length: int, metadata: str) -> ResumableUpload:
    """Create an empty upload. Raises Invalid, NotFound, Forbidden for its target, QuotaExceeded."""
    await _check_access(session, user, read_upload_target(metadata))
    used = await repository.count_open(session, user_id=user.id)
    if used >= MOST_OPEN:
        raise QuotaExceeded(
            f"You have {used} uploads that are not complete. Complete or delete some of them (DELETE); they expire a "
            "day after their last byte.",
            limit=MOST_OPEN,
            used=used,
        )
    upload = ResumableUpload(
        user_id=user.id,
        length=length,
        offset=0,
        parts=0,
        writer=0,
        upload_metadata=metadata,
        expires_at=utc_now() + EXPIRES_AFTER,
    )
    session.add(upload)
    await session.flush()
    return upload


async def get_upload(session: AsyncSession, *, user: User, upload_id: UUID) -> ResumableUpload:
    """Return an upload. Raises NotFound, also for an expired one."""
    return _found(await repository.get_upload(session, user_id=user.id, upload_id=upload_id))


async def begin_writing(session: AsyncSession, *, user: User, upload_id: UUID, offset: int) -> ResumableUpload:
    """Begin to write at `offset`; parts of earlier requests no longer count.

    Raises NotFound, Conflict, QuotaExceeded for an upload in too many parts.
    """
    upload = _found(await repository.lock_upload(session, user_id=user.id, upload_id=upload_id))
    if upload.offset != offset:
        raise Conflict(
            f"Upload-Offset is {offset}, but {upload.offset} bytes are stored. Ask with HEAD, and resume from there.",
            code="upload_offset_mismatch",
        )
    if upload.parts >= MOST_PARTS:
        raise QuotaExceeded(
            f"This upload came in {upload.parts} parts. Begin a new one, and send at least 1 MiB with each request.",
            limit=MOST_PARTS,
            used=upload.parts,
        )
    upload.writer += 1
    await session.flush()
    return upload


async def add_part(
    session: AsyncSession, *, store: ObjectStore, user: User, upload_id: UUID, writer: int, size_bytes: int
) -> ResumableUpload:
    """Count a stored part, and with the last one create what the upload is for.

    Raises Conflict if a later request has taken over, NotFound, Forbidden.
    """
    upload = _found(await repository.lock_upload(session, user_id=user.id, upload_id=upload_id))
    if upload.writer != writer:
        raise Conflict("Another request has taken over this upload.", code="upload_taken_over")
    upload.offset += size_bytes
    upload.parts += 1
    upload.expires_at = utc_now() + EXPIRES_AFTER
    if upload.offset == upload.length:
        await _finish(session, store, user, upload)
    await session.flush()
    return upload


async def delete_upload(session: AsyncSession, *, store: ObjectStore, user: User, upload_id: UUID) -> None:
    """Delete an upload. The data set of a finished one stays. Raises NotFound."""
    upload = _found(await repository.lock_upload(session, user_id=user.id, upload_id=upload_id))
    await _discard_parts(session, store, [upload])
    await session.delete(upload)


async def delete_expired(session: AsyncSession, *, store: ObjectStore) -> None:
    """Delete uploads past their time of expiry."""
    await _discard_parts(session, store, await repository.delete_expired(session))


async def _discard_parts(session: AsyncSession, store: ObjectStore, uploads: list[ResumableUpload]) -> None:
    """Mark the parts of unfinished uploads for the sweep; those of finished ones belong to a version."""
    unfinished = [upload for upload in uploads if upload.offset < upload.length]
    await add_garbage(session, [parts_folder(store, upload.id) for upload in unfinished], due_at=utc_now())


async def _finish(session: AsyncSession, store: ObjectStore, user: User, upload: ResumableUpload) -> None:
    target = read_upload_target(upload.upload_metadata)
    await _check_access(session, user, target)
    origin = Origin(
        upload_uri=parts_folder(store, upload.id),
        upload_bytes=upload.length,
        split_options=target.request.split_options,
    )
    if isinstance(target.request, DatasetCreate):
        created = await datasets.create_dataset(session, user=user, request=target.request, origin=origin)
        upload.dataset_id, upload.version = created.id, created.version
    elif target.dataset_id is not None:
        added = await datasets.add_version(session, user=user, dataset_id=target.dataset_id, origin=origin)
        upload.dataset_id, upload.version = target.dataset_id, added.version


async def _check_access(session: AsyncSession, user: User, target: UploadTarget) -> None:
    if target.dataset_id is not None:
        await get_dataset_for(session, user, target.dataset_id, role="editor")
    elif isinstance(target.request, DatasetCreate) and target.request.project_id is not None:
        await get_project_for(session, user, target.request.project_id, role="editor")


def _found(upload: ResumableUpload | None) -> ResumableUpload:
    if upload is None:
        raise NotFound("There is no such upload, it has expired, or it is not yours. Create a new one.")
    return upload
