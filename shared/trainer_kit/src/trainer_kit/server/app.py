"""The HTTP application of a training service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import anyio.to_thread
from fastapi import Depends, FastAPI

from trainer_kit.server.auth import bearer_check
from trainer_kit.server.orphans import reap_orphans
from trainer_kit.server.problems import add_problem_handlers
from trainer_kit.server.routes_jobs import job_routes
from trainer_kit.server.routes_models import model_routes
from trainer_kit.server.service import Service
from trainer_kit.settings import ServiceSettings
from trainer_kit.supervisor import Supervisor

LOOK_SECONDS = 0.25


def create_app(service: Service, settings: ServiceSettings) -> FastAPI:
    """All routes need the service's token, but for `/health`."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(_look_after(service.supervisor))
        try:
            yield
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    app = FastAPI(title="Training service", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    add_problem_handlers(app)

    @app.get("/health")
    async def health() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        """Whether this process answers at all. Open to everybody."""
        return {"status": "ok"}

    needs_token = [Depends(bearer_check(settings.service_token))]
    app.include_router(model_routes(service.catalog), dependencies=needs_token)
    app.include_router(job_routes(service), dependencies=needs_token)
    return app


async def _look_after(supervisor: Supervisor) -> None:
    while True:
        await anyio.to_thread.run_sync(supervisor.look_after)
        await anyio.to_thread.run_sync(reap_orphans)
        await asyncio.sleep(LOOK_SECONDS)
