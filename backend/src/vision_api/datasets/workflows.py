"""Workflow of data sets: compare two versions, whose files are in storage."""

import anyio.to_thread

from data_kit import ObjectStore
from vision_api.datasets import version_use_cases
from vision_api.datasets.diff import diff_versions
from vision_api.datasets.schemas import DiffRead
from vision_api.db.session import Database
from vision_api.models import User


async def get_diff(
    database: Database, *, store: ObjectStore, user: User, dataset_id: int, before: int, after: int
) -> DiffRead:
    """Compare two versions. Raises NotFound, Conflict for a version that is not ready."""
    async with database.snapshot() as session:
        old, new = [
            await version_use_cases.get_compared_version(session, user=user, dataset_id=dataset_id, version=number)
            for number in (before, after)
        ]
    return await anyio.to_thread.run_sync(diff_versions, store, old, new)
