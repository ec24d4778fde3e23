"""Storage usage by project: `python -m vision_api.usage [--json] [--repair]`.

It lists the whole storage and compares it with the database, and so finds objects that no row names.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence

import anyio.to_thread

from data_kit import ObjectStore, StorageError, open_store
from vision_api.config import ConfigurationError, Settings, load_settings
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.migrate import require_schema
from vision_api.usage.known_objects import KnownObjects
from vision_api.usage.orphans import NotThisDatabase, list_removable, remove
from vision_api.usage.report import Report, compare, list_storage
from vision_api.usage.repository import load_known_objects

COLUMNS = ("project", "jobs", "files", "total", "checkpoints", "superseded", "unlisted", "data sets", "models")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report. Exits with 1 and one line on an error."""
    parser = argparse.ArgumentParser(prog="vision_api.usage", description="Show the storage usage by project.")
    parser.add_argument("--json", action="store_true", help="everything, down to single jobs, as JSON")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="delete the files of jobs that the database does not know, unless they were written to within a day; "
        "never after restoring an older database",
    )
    options = parser.parse_args(arguments)
    try:
        settings = load_settings()
        asyncio.run(run(settings, as_json=options.json, repair=options.repair))
    except (ConfigurationError, DatabaseUnavailable, StorageError, NotThisDatabase) as error:
        sys.exit(f"vision-api cannot report the usage: {error or error.__cause__}")


async def run(settings: Settings, *, as_json: bool = False, repair: bool = False) -> None:
    """Write the report to standard output, and deletions of `repair` to standard error."""
    await require_schema(settings)
    store = open_store(settings.storage_url)
    database = Database(make_engine(settings))
    try:
        report, known = await make_report(database, store)
        text = report.model_dump_json(indent=2) if as_json else "\n".join(describe(report))
        sys.stdout.write(text + "\n")
        if repair:
            await remove_orphans(database, store, report, known)
    finally:
        await database.close()


async def make_report(database: Database, store: ObjectStore) -> tuple[Report, KnownObjects]:
    """List the storage first, then load the database, and compare them."""
    listing = await anyio.to_thread.run_sync(list_storage, store)
    async with database.snapshot() as session:
        known = await load_known_objects(session)
    return compare(store, listing, known), known


async def remove_orphans(database: Database, store: ObjectStore, report: Report, known: KnownObjects) -> None:
    """Delete the removable orphans, and print each. Raises NotThisDatabase."""
    for orphan in list_removable(report, known):
        done = "deleted" if await remove(database, store, orphan) else "left, since its job is known now:"
        sys.stderr.write(f"{done} {orphan.prefix} ({orphan.files} files, {format_bytes(orphan.total_bytes)})\n")


def describe(report: Report) -> Iterator[str]:
    """Return the lines of a table of projects, and of the objects that belong to none."""
    yield f"{report.storage_url}: {format_bytes(report.total_bytes)}"
    yield ""
    rows = [COLUMNS, *(_row(report, index) for index in range(len(report.projects)))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        numbers = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        yield "  ".join([row[0].ljust(widths[0]), *numbers])
    yield ""
    yield f"deleted, and freed within a day    {format_bytes(report.deleted_bytes)}"
    yield f"uploads that wait to be processed  {format_bytes(report.uploads_bytes)}"
    yield f"being written, or left by a kill   {format_bytes(report.unfinished_bytes)}"
    yield f"the database itself                {format_bytes(report.database_bytes)}"
    yield f"named by nothing in the database   {format_bytes(sum(each.total_bytes for each in report.orphans))}"
    for orphan in report.orphans:
        when = f"{orphan.newest_at:%Y-%m-%d %H:%M}"
        yield f"  {orphan.prefix}  {orphan.files} files  {format_bytes(orphan.total_bytes)}  {when}"
    missing = [job for project in report.projects for job in project.jobs if job.missing_files]
    for job in missing:
        yield f"experiment {job.job_id} has {job.missing_files} artifacts whose files are gone"


def _row(report: Report, index: int) -> tuple[str, ...]:
    project = report.projects[index]
    title = f"{project.project_id} {project.name}" if project.project_id is not None else project.name
    sizes = (project.total_bytes, project.checkpoints_bytes, project.superseded_bytes, project.unlisted_bytes)
    columns = [format_bytes(size) for size in (*sizes, project.datasets_bytes, project.models_bytes)]
    return (title[:40], str(len(project.jobs)), str(project.files), *columns)


def format_bytes(size: float) -> str:
    """Return a size such as `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


if __name__ == "__main__":
    main()
