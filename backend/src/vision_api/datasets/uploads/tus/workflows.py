"""Workflow of resumable uploads: receive parts. Each is stored completely before it counts, so that a killed process
loses at most one of them.
"""

from uuid import UUID

import anyio.to_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from data_kit import ObjectStore
from vision_api.datasets.uploads.tus import use_cases
from vision_api.db.session import Database
from vision_api.errors import TooLarge
from vision_api.kit.body_limit import accept_upload
from vision_api.models import ResumableUpload, User
from vision_api.storage_layout import part_key

PART_BYTES = 4 * 1024 * 1024


async def receive_parts(
    database: Database, *, store: ObjectStore, user: User, upload_id: UUID, offset: int, request: Request
) -> ResumableUpload:
    """Store the body at `offset`; if it is cut, what has arrived of it. Raises NotFound, Conflict, TooLarge."""
    async with database.transaction() as session:
        upload = await use_cases.begin_writing(session, user=user, upload_id=upload_id, offset=offset)
    room = upload.length - offset
    _check_room(int(request.headers.get("content-length", 0)), room)
    accept_upload(request)
    buffered = bytearray()
    try:
        async for chunk in request.stream():
            room -= len(chunk)
            _check_room(0, room)
            buffered += chunk
            if len(buffered) >= PART_BYTES:
                upload = await _add_part(database, store, user, upload, bytes(buffered))
                buffered.clear()
    except ClientDisconnect:
        await _add_part(database, store, user, upload, bytes(buffered))
        raise
    return await _add_part(database, store, user, upload, bytes(buffered))


async def _add_part(
    database: Database, store: ObjectStore, user: User, upload: ResumableUpload, data: bytes
) -> ResumableUpload:
    """Store a part and count it. One that is then refused stays in the folder without harm: see `part_key`."""
    if not data:
        return upload
    key = part_key(upload.id, upload.offset, upload.writer)
    await anyio.to_thread.run_sync(store.put_bytes, data, key)
    async with database.transaction() as session:
        return await use_cases.add_part(
            session, store=store, user=user, upload_id=upload.id, writer=upload.writer, size_bytes=len(data)
        )


def _check_room(announced: int, room: int) -> None:
    if announced > room or room < 0:
        raise TooLarge("There are more bytes than Upload-Length has announced.")
