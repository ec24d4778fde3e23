"""What the endpoints get from the application."""

from typing import Annotated

from fastapi import Depends, Request

from data_kit import ObjectStore
from vision_api.catalog.endpoints import CatalogDep
from vision_api.db.session import DatabaseDep
from vision_api.training_jobs.notifier import Wakeups
from vision_api.training_jobs.resolution.resolver import Settler


async def _settler(request: Request, database: DatabaseDep, catalog: CatalogDep) -> Settler:
    return Settler(database, request.app.state.settings, catalog)


async def _wakeups(request: Request) -> Wakeups:
    wakeups: Wakeups = request.app.state.wakeups
    return wakeups


async def _store(request: Request) -> ObjectStore:
    store: ObjectStore = request.app.state.store
    return store


SettlerDep = Annotated[Settler, Depends(_settler)]
WakeupsDep = Annotated[Wakeups, Depends(_wakeups)]
StoreDep = Annotated[ObjectStore, Depends(_store)]
