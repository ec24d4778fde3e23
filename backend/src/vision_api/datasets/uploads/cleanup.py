"""Cleanup of uploads that were abandoned: their client gave up, or their process was killed."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import anyio.to_thread

from data_kit import ObjectStore
from vision_api.datasets import repository
from vision_api.datasets.uploads.tus import repository as tus_repository
from vision_api.datasets.uploads.tus import use_cases
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.storage_layout import UPLOADS, parts_folder

ABANDONED_AFTER = timedelta(days=1)


async def delete_abandoned_uploads(database: Database, store: ObjectStore, incoming: Path | None) -> None:
    """Delete expired resumable uploads, old files in the folder `incoming`, and stored uploads that no row names.

    A request that was killed between storing an upload and adding its row leaves one of the last kind.
    """
    async with database.transaction() as session:
        await use_cases.delete_expired(session, store=store)
    before = utc_now() - ABANDONED_AFTER
    if incoming is not None:
        await asyncio.to_thread(_delete_old_files, incoming, before)
    stored = await anyio.to_thread.run_sync(lambda: list(store.list(UPLOADS)))
    old_uris = {item.uri for item in stored if item.modified_at < before}
    if not old_uris:
        return
    async with database.snapshot() as session:
        needed = await repository.list_upload_uris(session)
        needed |= {parts_folder(store, each) for each in await tus_repository.list_upload_ids(session)}
    for uri in old_uris:
        folder = uri.rpartition("/")[0] + "/"
        if needed.isdisjoint((uri, folder)):
            await anyio.to_thread.run_sync(store.delete, uri)


def _delete_old_files(folder: Path, before: datetime) -> None:
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before.timestamp():
                path.unlink()
