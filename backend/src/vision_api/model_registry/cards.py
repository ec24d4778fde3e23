"""Cards of models, for whoever gets them."""

from data_kit import ObjectStore
from vision_api.catalog.catalog import Catalog
from vision_api.db.session import Database
from vision_api.errors import NotFound
from vision_api.model_registry.hub_card import render
from vision_api.model_registry.lineage_sources import find_source, trace
from vision_api.model_registry.schemas import ModelVersionRead
from vision_api.models import User
from vision_api.training_jobs.access import get_training_for


def version_card(version: ModelVersionRead) -> str:
    """As it was when it was registered, with today's notes."""
    return render(version.lineage, title=version.reference, notes=version.notes)


async def job_card(
    database: Database, store: ObjectStore, catalog: Catalog, *, user: User, job_id: int, artifact: str
) -> str:
    """As it is now. Raises NotFound, also for an experiment that has left no such file yet."""
    async with database.snapshot() as session:
        job = await get_training_for(session, user, job_id, asked="described")
        source = await find_source(session, job, artifact)
    if source is None:
        raise NotFound(f"This experiment has no artifact {artifact!r}: there is no model to describe yet.")
    return render(await trace(store, catalog, source), title=job.name, notes=job.notes)
