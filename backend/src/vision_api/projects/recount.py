"""Command that corrects the stored counts of experiments: `python -m vision_api.projects.recount`.

The stored counts change in the same transactions as the jobs. They can be wrong only where something else has
written jobs: an older version beside this one during a release, or a hand in the database.
"""

import asyncio
import logging
import sys

from vision_api.config import ConfigurationError, load_settings
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.logging import configure_logging
from vision_api.projects.repository import list_project_ids, recount_experiments

log = logging.getLogger(__name__)


async def recount_all(database: Database) -> list[int]:
    """Correct the counts and return the ids of projects whose counts were wrong. One short transaction a project."""
    async with database.snapshot() as session:
        project_ids = await list_project_ids(session)
    corrected: list[int] = []
    for project_id in project_ids:
        async with database.transaction() as session:
            if await recount_experiments(session, project_id):
                corrected.append(project_id)
    return corrected


async def _run() -> None:
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    database = Database(make_engine(settings))
    try:
        corrected = await recount_all(database)
    finally:
        await database.close()
    log.info("corrected the counts of the projects %s", corrected or "none")


def main() -> None:
    """Run the command; exit with 1 and one line when it cannot be done."""
    try:
        asyncio.run(_run())
    except (ConfigurationError, DatabaseUnavailable) as error:
        sys.exit(f"vision-api cannot count: {error}")


if __name__ == "__main__":
    main()
