"""The HTTP application of a training service."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import anyio.to_thread
from fastapi import Depends, FastAPI

from trainer_kit.server import routes_jobs, routes_models
from trainer_kit.server.auth import bearer_check
from trainer_kit.server.orphans import reap_orphans
from trainer_kit.server.problems import PROBLEM_HANDLERS
from trainer_kit.server.service import Service
from trainer_kit.settings import ServiceSettings
from trainer_kit.supervisor import Supervisor

LOOK_SECONDS = 0.25


def create_app(service: Service, settings: ServiceSettings) -> FastAPI:
    """All routes need the service's token, but for `/health`."""
    app = FastAPI(
        title="Training service",
        lifespan=_lifespan,
        exception_handlers=PROBLEM_HANDLERS,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.service = service
    needs_token = [Depends(bearer_check(settings.service_token))]
    app.include_router(routes_models.router, dependencies=needs_token)
    app.include_router(routes_jobs.router, dependencies=needs_token)
    app.add_api_route("/health", health)
    return app


async def health() -> dict[str, str]:
    """Whether this process answers at all. Open to everybody."""
    return {"status": "ok"}


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    watch = asyncio.create_task(_look_after(app.state.service.supervisor))
    try:
        yield
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


async def _look_after(supervisor: Supervisor) -> None:
    while True:
        await anyio.to_thread.run_sync(supervisor.look_after)
        await anyio.to_thread.run_sync(reap_orphans)
        await asyncio.sleep(LOOK_SECONDS)
