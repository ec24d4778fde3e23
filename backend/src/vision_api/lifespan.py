"""The lifespan of the application: its parts are started in order, and stopped in the reverse order."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from data_kit import open_store
from http_kit.request_metrics import RequestMetrics
from vision_api.auth.tokens import AccessTokens, signing_secret
from vision_api.catalog.catalog import running_catalog
from vision_api.config import Settings
from vision_api.datasets.previews.drawers import running_drawers
from vision_api.datasets.processing.processor import running_processor
from vision_api.db.engine import make_engine
from vision_api.db.retry import retry_until_available
from vision_api.db.session import Database
from vision_api.disk_space.ballast import running_ballast
from vision_api.disk_space.disks import Disks
from vision_api.first_run.administrator import bootstrap
from vision_api.first_run.sample_project import running_sample_project
from vision_api.health.readiness import StorageProbe
from vision_api.health.state_metrics import StateMetrics
from vision_api.kit.response_cache import ResponseCache
from vision_api.kit.tracing import trace_statements
from vision_api.model_registry.hub.pusher import running_pusher
from vision_api.platform import Platform, hold_platform
from vision_api.training_jobs.events import JOB_REQUESTED
from vision_api.training_jobs.loops.lifespan import running_loops
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.streaming.change_watcher import running_change_watcher
from vision_api.training_services import running_registry


@asynccontextmanager
async def lifespan(
    app: FastAPI, *, settings: Settings, background: bool, request_metrics: RequestMetrics
) -> AsyncGenerator[None]:
    """Start database → first run → training services → loops."""
    async with AsyncExitStack() as parts:
        database = Database(make_engine(settings))
        parts.push_async_callback(database.close)
        trace_statements(database.engine)
        if background:
            await parts.enter_async_context(running_ballast(database, settings))
            await retry_until_available(
                partial(bootstrap, database, settings), within_seconds=settings.database_wait_seconds
            )
        platform = await _start_parts(parts, database, settings, request_metrics, is_idle=not background)
        hold_platform(app, platform)
        if background:
            await _start_jobs(parts, platform)
        yield


async def _start_parts(
    parts: AsyncExitStack, database: Database, settings: Settings, request_metrics: RequestMetrics, *, is_idle: bool
) -> Platform:
    access_tokens = AccessTokens(signing_secret(settings), lifetime_seconds=settings.access_token_seconds)
    store, disks = open_store(settings.storage_url), Disks.of(settings)
    if not is_idle:
        await parts.enter_async_context(running_processor(database, store, settings))
        await parts.enter_async_context(running_pusher(database, store, settings))
    notifier = Notifier()
    database.on_committed(JOB_REQUESTED, notifier.notify_job_requested)
    # After the workers: it listens on their channels.
    await parts.enter_async_context(running_change_watcher(database, notifier))
    registry = await parts.enter_async_context(running_registry(settings, is_idle=is_idle))
    storage_probe = StorageProbe(store)
    parts.push_async_callback(storage_probe.close)
    return Platform(
        settings=settings,
        database=database,
        store=store,
        disks=disks,
        access_tokens=access_tokens,
        registry=registry,
        catalog=await parts.enter_async_context(running_catalog(database, registry)),
        notifier=notifier,
        project_lists=ResponseCache(),
        storage_probe=storage_probe,
        request_metrics=request_metrics,
        state_metrics=StateMetrics(database, registry, disks, settings.storage_url),
        drawers=await parts.enter_async_context(running_drawers()),
    )


async def _start_jobs(parts: AsyncExitStack, platform: Platform) -> None:
    await platform.catalog.wait_for_first_catalogs()
    await parts.enter_async_context(running_sample_project(platform))
    await parts.enter_async_context(
        running_loops(
            database=platform.database,
            registry=platform.registry,
            notifier=platform.notifier,
            store=platform.store,
            disks=platform.disks,
            settings=platform.settings,
        )
    )
