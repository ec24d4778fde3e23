"""Dependencies that endpoints get from the platform: its parts, and sessions of its database."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore
from vision_api.auth.tokens import AccessTokens
from vision_api.catalog.catalog import Catalog
from vision_api.config import Settings
from vision_api.datasets.previews.drawers import Drawers
from vision_api.db.session import Database
from vision_api.kit.clock import Clock
from vision_api.platform import Platform, platform_of
from vision_api.training_jobs.notifier import Notifier


async def _platform(request: Request) -> Platform:
    return platform_of(request.app)


PlatformDep = Annotated[Platform, Depends(_platform)]


async def _settings(platform: PlatformDep) -> Settings:
    return platform.settings


async def _database(platform: PlatformDep) -> Database:
    return platform.database


async def _store(platform: PlatformDep) -> ObjectStore:
    return platform.store


async def _drawers(platform: PlatformDep) -> Drawers:
    return platform.drawers


async def _access_tokens(platform: PlatformDep) -> AccessTokens:
    return platform.access_tokens


async def _clock(platform: PlatformDep) -> Clock:
    return platform.clock


async def _refresh_lifetime(platform: PlatformDep) -> timedelta:
    return timedelta(seconds=platform.settings.refresh_token_seconds)


async def _catalog(platform: PlatformDep) -> Catalog:
    return platform.catalog


async def _notifier(platform: PlatformDep) -> Notifier:
    return platform.notifier


SettingsDep = Annotated[Settings, Depends(_settings)]
DatabaseDep = Annotated[Database, Depends(_database)]
StoreDep = Annotated[ObjectStore, Depends(_store)]
DrawersDep = Annotated[Drawers, Depends(_drawers)]
AccessTokensDep = Annotated[AccessTokens, Depends(_access_tokens)]
ClockDep = Annotated[Clock, Depends(_clock)]
RefreshLifetime = Annotated[timedelta, Depends(_refresh_lifetime)]
CatalogDep = Annotated[Catalog, Depends(_catalog)]
NotifierDep = Annotated[Notifier, Depends(_notifier)]


async def _read_session(database: DatabaseDep) -> AsyncGenerator[AsyncSession]:
    async with database.snapshot() as session:
        yield session


async def _write_session(database: DatabaseDep) -> AsyncGenerator[AsyncSession]:
    async with database.transaction() as session:
        yield session


# Function scope: a commit that fails must fail the answer, not follow it.
ReadSession = Annotated[AsyncSession, Depends(_read_session, scope="function")]
WriteSession = Annotated[AsyncSession, Depends(_write_session, scope="function")]
