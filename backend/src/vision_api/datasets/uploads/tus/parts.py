"""Parts of an upload: each is stored completely before it counts, so a killed process loses at most one of them."""

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class PartReceiver:
    """Receiver of an upload's bytes. `wake_processor` is called when an upload is complete."""

    database: Database
    store: ObjectStore
    wake_processor: Callable[[], None]

    async def receive(self, request: Request, user: User, upload_id: UUID, offset: int) -> ResumableUpload:
        """Store the body at `offset`; if it is cut, what has arrived of it. Raises NotFound, Conflict, TooLarge."""
        async with self.database.transaction() as session:
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
                    upload = await self._add_part(user, upload, bytes(buffered))
                    buffered.clear()
        except ClientDisconnect:
            await self._add_part(user, upload, bytes(buffered))
            raise
        return await self._add_part(user, upload, bytes(buffered))

    async def _add_part(self, user: User, upload: ResumableUpload, data: bytes) -> ResumableUpload:
        """Store a part and count it. One that is then refused stays in the folder without harm: see `part_key`."""
        if not data:
            return upload
        key = part_key(upload.id, upload.offset, upload.writer)
        await anyio.to_thread.run_sync(self.store.put_bytes, data, key)
        async with self.database.transaction() as session:
            upload = await use_cases.add_part(
                session, store=self.store, user=user, upload_id=upload.id, writer=upload.writer, size_bytes=len(data)
            )
        if upload.offset == upload.length:
            self.wake_processor()
        return upload


def _check_room(announced: int, room: int) -> None:
    if announced > room or room < 0:
        raise TooLarge("There are more bytes than Upload-Length has announced.")
