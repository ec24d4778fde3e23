"""Dependencies that endpoints get from the application."""

from typing import Annotated

from fastapi import Depends, Request

from data_kit import ObjectStore
from vision_api.catalog.endpoints import CatalogDep
from vision_api.db.session import DatabaseDep
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.resolution.resolver import JobResolver


async def _resolver(request: Request, database: DatabaseDep, catalog: CatalogDep) -> JobResolver:
    return JobResolver(database, request.app.state.settings, catalog)


async def _notifier(request: Request) -> Notifier:
    notifier: Notifier = request.app.state.notifier
    return notifier


async def _store(request: Request) -> ObjectStore:
    store: ObjectStore = request.app.state.store
    return store


JobResolverDep = Annotated[JobResolver, Depends(_resolver)]
NotifierDep = Annotated[Notifier, Depends(_notifier)]
StoreDep = Annotated[ObjectStore, Depends(_store)]
