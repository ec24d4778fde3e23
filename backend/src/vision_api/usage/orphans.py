"""Deletion of the files of unknown jobs, if the database certainly should know them."""

from datetime import datetime, timedelta
from uuid import UUID

import anyio.to_thread

from data_kit import ObjectStore
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.usage.known_objects import KnownObjects
from vision_api.usage.report import Orphan, Report
from vision_api.usage.repository import has_job

MIN_AGE = timedelta(days=1)
"""Age at which files of an unknown job may be deleted."""


class NotThisDatabase(Exception):
    """The database and the storage do not seem to belong together."""


def list_removable(report: Report, known: KnownObjects) -> list[Orphan]:
    """Return the folders of unknown jobs that were last written to more than a day ago.

    A database that was restored from a backup does not know the jobs that came after it. Files that are younger than
    the last activity in the database therefore stay. Raises NotThisDatabase.
    """
    orphans = [orphan for orphan in report.orphans if orphan.kind == "job" and _job_uid(orphan) is not None]
    if orphans and not any(project.jobs for project in report.projects):
        raise NotThisDatabase(
            f"This database knows none of the {len(orphans)} jobs in {report.storage_url}. If they really are to be "
            "deleted, delete them in the storage itself."
        )
    before = min(utc_now() - MIN_AGE, known.last_activity_at or datetime.min.replace(tzinfo=utc_now().tzinfo))
    return [orphan for orphan in orphans if orphan.newest_at < before]


async def remove(database: Database, store: ObjectStore, orphan: Orphan) -> bool:
    """Delete one folder and return True, unless its job is known by now."""
    job_uid = _job_uid(orphan)
    async with database.snapshot() as session:
        if job_uid is None or await has_job(session, job_uid):
            return False
    await anyio.to_thread.run_sync(store.delete_prefix, orphan.prefix)
    return True


def _job_uid(orphan: Orphan) -> UUID | None:
    try:
        return UUID(orphan.prefix.rpartition("/")[2])
    except ValueError:
        return None
