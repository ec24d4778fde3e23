"""Count every project's experiments anew: `python -m vision_api.projects.recount`.

The kept counts follow from the same transactions as the jobs. They can be wrong only where something else has
written jobs: an older version beside this one during a release, or a hand in the database.
"""

import asyncio
import logging
import sys

from sqlalchemy import select

from vision_api.config import ConfigurationError, load_settings
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.logging import configure_logging
from vision_api.models import Project
from vision_api.projects.repository import recount_experiments

log = logging.getLogger(__name__)


async def recount_all(database: Database) -> list[int]:
    """The ids of the projects whose counts were wrong. One short transaction a project: nobody waits for long."""
    async with database.snapshot() as session:
        project_ids = (await session.scalars(select(Project.id).order_by(Project.id))).all()
    mended: list[int] = []
    for project_id in project_ids:
        async with database.transaction() as session:
            if await recount_experiments(session, project_id):
                mended.append(project_id)
    return mended


async def _run() -> None:
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    database = Database(make_engine(settings))
    try:
        mended = await recount_all(database)
    finally:
        await database.close()
    log.info("counted anew; wrong were the projects %s", mended or "none")


def main() -> None:
    """Exits with 1 and one line when it cannot be done."""
    try:
        asyncio.run(_run())
    except (ConfigurationError, DatabaseUnavailable) as error:
        sys.exit(f"vision-api cannot count: {error}")


if __name__ == "__main__":
    main()
