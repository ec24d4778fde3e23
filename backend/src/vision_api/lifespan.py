"""The lifespan of the application: its parts are started in order, and stopped in the reverse order."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

from fastapi import FastAPI

from data_kit import open_store
from vision_api.auth.authenticator import Authenticator
from vision_api.auth.throttle import LoginThrottle
from vision_api.auth.tokens import AccessTokens, signing_secret
from vision_api.catalog.catalog import running_catalog
from vision_api.config import Settings
from vision_api.datasets.processing.processor import running_processor
from vision_api.db.engine import make_engine
from vision_api.db.retry import retry_until_available
from vision_api.db.session import Database
from vision_api.first_run.administrator import bootstrap
from vision_api.first_run.sample_project import running_sample_project
from vision_api.health.readiness import StorageProbe
from vision_api.health.state_metrics import StateMetrics
from vision_api.kit.response_cache import ResponseCache
from vision_api.kit.tracing import trace_statements
from vision_api.model_registry.hub.pusher import running_pusher
from vision_api.training_jobs.loops.lifespan import running_loops
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.resolution.resolver import JobResolver
from vision_api.training_jobs.streaming.change_watcher import running_change_watcher
from vision_api.training_services import running_registry

PROJECT_LISTS_KEPT = 1000


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Start database → first run → training services → loops."""
    settings: Settings = app.state.settings
    async with AsyncExitStack() as parts:
        database = Database(make_engine(settings))
        parts.push_async_callback(database.close)
        trace_statements(database.engine)
        app.state.database = database
        app.state.project_lists = ResponseCache(largest=PROJECT_LISTS_KEPT)
        _prepare_auth(app, settings, database)
        if app.state.background:
            await retry_until_available(
                partial(bootstrap, database, settings), within_seconds=settings.database_wait_seconds
            )
        app.state.store = open_store(settings.storage_url)
        app.state.dataset_processor = await parts.enter_async_context(
            running_processor(database, app.state.store, settings, is_idle=not app.state.background)
        )
        app.state.hub_pusher = await parts.enter_async_context(
            running_pusher(database, app.state.store, settings, is_idle=not app.state.background)
        )
        app.state.notifier = Notifier()
        await parts.enter_async_context(running_change_watcher(database, app.state.notifier))
        registry = await parts.enter_async_context(running_registry(settings, is_idle=not app.state.background))
        app.state.instance_registry = registry
        app.state.storage_probe = StorageProbe(app.state.store)
        parts.push_async_callback(app.state.storage_probe.close)
        app.state.state_metrics = StateMetrics(database, registry, settings.storage_url)
        app.state.catalog = await parts.enter_async_context(running_catalog(database, registry))
        if app.state.background:
            await app.state.catalog.wait_for_first_catalogs()
            resolver = JobResolver(database, settings, app.state.catalog)
            await parts.enter_async_context(running_sample_project(resolver, registry))
            await parts.enter_async_context(
                running_loops(
                    database=database,
                    registry=registry,
                    notifier=app.state.notifier,
                    store=app.state.store,
                    settings=settings,
                )
            )
        yield


def _prepare_auth(app: FastAPI, settings: Settings, database: Database) -> None:
    app.state.access_tokens = AccessTokens(signing_secret(settings), lifetime_seconds=settings.access_token_seconds)
    app.state.authenticator = Authenticator(
        database,
        app.state.access_tokens,
        LoginThrottle(),
        refresh_lifetime=timedelta(seconds=settings.refresh_token_seconds),
    )
