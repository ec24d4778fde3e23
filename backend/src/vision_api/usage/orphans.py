"""Deletes the files of jobs that the database does not know, where it is certain that it should know them."""

from datetime import datetime, timedelta
from uuid import UUID

import anyio.to_thread

from data_kit import ObjectStore
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.usage.names import KnownObjects, is_known
from vision_api.usage.report import Orphan, Report

YOUNGEST = timedelta(days=1)


class NotThisDatabase(Exception):
    """The database and the storage do not seem to belong together."""


def removable(report: Report, names: KnownObjects) -> list[Orphan]:
    """Folders of unknown jobs that nobody has written to for a day.

    A database that was restored from a backup does not know the jobs that came after it. What is younger than the
    last thing that happened in the database therefore stays. Raises NotThisDatabase.
    """
    orphans = [orphan for orphan in report.orphans if orphan.kind == "job" and _job_uid(orphan) is not None]
    if orphans and not any(project.jobs for project in report.projects):
        raise NotThisDatabase(
            f"This database knows none of the {len(orphans)} jobs in {report.storage_url}. If they really are to be "
            "deleted, delete them in the storage itself."
        )
    before = min(utc_now() - YOUNGEST, names.last_sign_of_life or datetime.min.replace(tzinfo=utc_now().tzinfo))
    return [orphan for orphan in orphans if orphan.newest_at < before]


async def remove(database: Database, store: ObjectStore, orphan: Orphan) -> bool:
    """Delete one folder, unless its job is known after all."""
    job_uid = _job_uid(orphan)
    async with database.snapshot() as session:
        if job_uid is None or await is_known(session, job_uid):
            return False
    await anyio.to_thread.run_sync(store.delete_prefix, orphan.prefix)
    return True


def _job_uid(orphan: Orphan) -> UUID | None:
    try:
        return UUID(orphan.prefix.rpartition("/")[2])
    except ValueError:
        return None
