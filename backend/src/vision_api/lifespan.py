"""What the application starts, in order, and stops in the reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from vision_api.auth.tokens import AccessTokens, signing_secret
from vision_api.catalog.catalog import running_catalog
from vision_api.config import Settings
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.training_services import running_registry


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Database → first run → training services → loops."""
    settings: Settings = app.state.settings
    async with AsyncExitStack() as parts:
        app.state.database = Database(make_engine(settings))
        parts.push_async_callback(app.state.database.close)
        app.state.access_tokens = AccessTokens(signing_secret(settings), lifetime_seconds=settings.access_token_seconds)
        registry = await parts.enter_async_context(running_registry(settings, is_idle=not app.state.background))
        app.state.instance_registry = registry
        app.state.catalog = await parts.enter_async_context(running_catalog(app.state.database, registry))
        yield
