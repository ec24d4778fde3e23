"""Workflow of usage: sizes as the storage lists them."""

import anyio.to_thread

from data_kit import ObjectInfo, ObjectStore
from vision_api.db.session import Database
from vision_api.models import User
from vision_api.usage import use_cases
from vision_api.usage.schemas import JobUsage
from vision_api.usage.sizes import measure
from vision_contracts import ArtifactKind


async def job_usage(database: Database, *, store: ObjectStore, user: User, job_id: int) -> JobUsage:
    """Return the usage of a job as the storage lists it. Raises NotFound, StorageError."""
    async with database.snapshot() as session:
        job, rows = await use_cases.load_job_rows(session, user=user, job_id=job_id)
    objects = await _list(store, job.output_uri)
    async with database.snapshot() as session:  # after the listing: a listed object may have got its row meanwhile
        kinds, garbage = await use_cases.load_object_fates(session, job=job)
    sizes = measure(objects, kinds, garbage)
    return JobUsage(
        job_id=job.id,
        name=job.name,
        status=job.status,
        total_bytes=sizes.total_bytes,
        checkpoints_bytes=sizes.checkpoints_bytes,
        training_state_bytes=sizes.kinds[ArtifactKind.TRAINING_STATE],
        files=sizes.files,
        kinds=dict(sizes.kinds),
        superseded_bytes=sizes.superseded_bytes,
        unlisted_bytes=sizes.unlisted_bytes,
        database_rows=rows,
    )


async def _list(store: ObjectStore, uri: str) -> list[ObjectInfo]:
    if not store.contains(uri):
        return []
    return await anyio.to_thread.run_sync(lambda: list(store.list(store.key(uri))))
