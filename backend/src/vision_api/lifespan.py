"""What the application starts, in order, and stops in the reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from vision_api.auth.tokens import AccessTokens, signing_secret
from vision_api.config import Settings
from vision_api.db.engine import make_engine
from vision_api.db.session import Database


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Database → first run → training services → loops."""
    settings: Settings = app.state.settings
    async with AsyncExitStack() as parts:
        app.state.database = Database(make_engine(settings))
        parts.push_async_callback(app.state.database.close)
        app.state.access_tokens = AccessTokens(signing_secret(settings), lifetime_seconds=settings.access_token_seconds)
        yield
