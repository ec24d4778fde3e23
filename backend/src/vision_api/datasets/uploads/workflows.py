"""Workflows of uploads and imports: the file goes into storage, then a row is added; its commit wakes the processor."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio.to_thread
from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore, StoredObject
from vision_api.config import Settings
from vision_api.datasets import use_cases
from vision_api.datasets.access import get_dataset_for
from vision_api.datasets.allowed_paths import check_import_uri
from vision_api.datasets.schemas import (
    DatasetCreate,
    DatasetImport,
    DatasetRead,
    SplitRequest,
    VersionCreate,
    VersionImport,
    VersionRead,
)
from vision_api.datasets.uploads.archive_form import Upload, receive_upload
from vision_api.datasets.use_cases import Origin
from vision_api.db.session import Database
from vision_api.kit.idempotency import Idempotency
from vision_api.kit.multipart import incoming_folder
from vision_api.models import User
from vision_api.projects.access import get_project_for
from vision_api.storage_layout import new_upload_key

Read = TypeVar("Read", DatasetRead, VersionRead)


async def upload_dataset(
    database: Database,
    *,
    store: ObjectStore,
    settings: Settings,
    user: User,
    request: Request,
    idempotency: Idempotency,
) -> DatasetRead:
    """Create a data set of the archive in a form. Raises Invalid, NotFound or Forbidden for its project, TooLarge."""

    async def find(session: AsyncSession, made: DatasetRead) -> object:
        return await get_dataset_for(session, user, made.id)

    async with receive_upload(request, incoming_folder(settings)) as upload:
        form = upload.form(DatasetCreate)
        if form.project_id is not None:
            async with database.snapshot() as session:
                await get_project_for(session, user, form.project_id, role="editor")

        async def create(session: AsyncSession, stored: StoredObject) -> DatasetRead:
            return await use_cases.create_dataset(session, user=user, request=form, origin=_origin(stored, form))

        return await _ingest(database, store, upload, user, idempotency, form.model_dump(), DatasetRead, create, find)


async def upload_version(
    database: Database,
    *,
    store: ObjectStore,
    settings: Settings,
    user: User,
    dataset_id: int,
    request: Request,
    idempotency: Idempotency,
) -> VersionRead:
    """Add a version of the archive in a form. Raises NotFound, Forbidden, Invalid, TooLarge."""
    async with database.snapshot() as session:
        await get_dataset_for(session, user, dataset_id, role="editor")

    async def create(session: AsyncSession, stored: StoredObject) -> VersionRead:
        return await use_cases.add_version(session, user=user, dataset_id=dataset_id, origin=_origin(stored, form))

    async def find(session: AsyncSession, _made: VersionRead) -> object:
        return await get_dataset_for(session, user, dataset_id)

    async with receive_upload(request, incoming_folder(settings)) as upload:
        form = upload.form(VersionCreate)
        fields = form.split_options or {}
        return await _ingest(database, store, upload, user, idempotency, fields, VersionRead, create, find)


async def import_dataset(
    database: Database, *, settings: Settings, user: User, request: DatasetImport, idempotency: Idempotency
) -> DatasetRead:
    """Create a data set from a place that the server can read. Raises as `upload_dataset`, but for TooLarge."""
    origin = _import_from(settings, request)
    async with database.transaction() as session:

        async def create() -> DatasetRead:
            if request.project_id is not None:
                await get_project_for(session, user, request.project_id, role="editor")
            return await use_cases.create_dataset(session, user=user, request=request, origin=origin)

        return await idempotency.once(
            session,
            user_id=user.id,
            body=request,
            result_type=DatasetRead,
            create=create,
            find=lambda made: get_dataset_for(session, user, made.id),
        )


async def import_version(
    database: Database,
    *,
    settings: Settings,
    user: User,
    dataset_id: int,
    request: VersionImport,
    idempotency: Idempotency,
) -> VersionRead:
    """Add a version from a place that the server can read. Raises Invalid, NotFound, Forbidden."""
    origin = _import_from(settings, request)
    async with database.transaction() as session:

        async def create() -> VersionRead:
            return await use_cases.add_version(session, user=user, dataset_id=dataset_id, origin=origin)

        return await idempotency.once(
            session,
            user_id=user.id,
            body=request,
            result_type=VersionRead,
            create=create,
            find=lambda _made: get_dataset_for(session, user, dataset_id),
        )


async def _ingest(
    database: Database,
    store: ObjectStore,
    upload: Upload,
    user: User,
    idempotency: Idempotency,
    form: Mapping[str, Any],
    read: type[Read],
    create: Callable[[AsyncSession, StoredObject], Awaitable[Read]],
    find: Callable[[AsyncSession, Read], Awaitable[object]],
) -> Read:
    """Store the file, and create its row once. The file of a repeated request is deleted: the first one has its own."""
    is_created = False
    async with _stored(store, upload) as stored:
        async with database.transaction() as session:

            async def create_once() -> Read:
                nonlocal is_created
                is_created = True
                return await create(session, stored)

            body = {**form, "sha256": stored.sha256}
            created = await idempotency.once(
                session,
                user_id=user.id,
                body=body,
                result_type=read,
                create=create_once,
                find=lambda made: find(session, made),
            )
        if not is_created:
            await anyio.to_thread.run_sync(store.delete, stored.uri)
    return created


@asynccontextmanager
async def _stored(store: ObjectStore, upload: Upload) -> AsyncGenerator[StoredObject]:
    """Store the file, and delete it again if the context fails."""
    stored = await anyio.to_thread.run_sync(store.put_file, upload.path, new_upload_key())
    try:
        yield stored
    except BaseException:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(store.delete, stored.uri)
        raise


def _origin(stored: StoredObject, form: SplitRequest) -> Origin:
    return Origin(upload_uri=stored.uri, upload_bytes=stored.size_bytes, split_options=form.split_options)


def _import_from(settings: Settings, request: DatasetImport | VersionImport) -> Origin:
    return Origin(import_uri=check_import_uri(settings, request.uri), split_options=request.split_options)
