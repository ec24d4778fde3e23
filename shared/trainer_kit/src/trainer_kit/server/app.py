"""The HTTP application of a training service."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator

import anyio.to_thread
from fastapi import FastAPI, Response
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.datastructures import Headers

from data_kit import DiskReserve
from http_kit.request_metrics import RequestMetrics
from trainer_kit.server import routes_jobs, routes_models
from trainer_kit.server.auth import TokenGate
from trainer_kit.server.metrics import exposition
from trainer_kit.server.orphans import reap_orphans
from trainer_kit.server.problems import PROBLEM_HANDLERS
from trainer_kit.server.request_timer import RequestTimer
from trainer_kit.server.service import Service
from trainer_kit.settings import ServiceSettings
from trainer_kit.supervisor import Supervisor

POLL_SECONDS = 0.25
REQUEST_BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)
LARGEST_BODY_BYTES = 4 * 1024**2
"""More than any specification: a backend sends no files."""
TELEMETRY: TelemetryConfig = {
    "auto_configure": True,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "exclude": lambda scope: "traceparent" not in Headers(scope=scope),
}
"""Traces of the backend are continued here, if `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector."""

log = logging.getLogger(__name__)


def create_app(service: Service, settings: ServiceSettings) -> FastAPI:
    """Create the application. All routes need the service's token, except `/health`, and `/metrics` with its own."""
    app = FastAPI(
        title="Training service",
        lifespan=_lifespan,
        exception_handlers=PROBLEM_HANDLERS,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=LARGEST_BODY_BYTES,
        telemetry=TELEMETRY,
    )
    app.state.service = service
    requests = RequestMetrics("Requests that have ended.", REQUEST_BUCKETS)
    token = settings.service_token
    app.add_middleware(TokenGate, token=token, tokens={"/health": None, "/metrics": settings.metrics_token or token})
    app.add_middleware(RequestTimer, metrics=requests)
    app.include_router(routes_models.router)
    app.include_router(routes_jobs.router)
    app.add_api_route("/health", health)

    disk = DiskReserve(settings.data_dir, settings.disk_reserve_bytes)

    def metrics() -> Response:
        """Return all metrics. Needs METRICS_TOKEN, or the service's token if that is not set."""
        return Response(exposition(requests.registry, service, disk), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    app.add_api_route("/metrics", metrics)
    return app


async def health() -> dict[str, str]:
    """Report that this process is alive. Public."""
    return {"status": "ok"}


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    watch = asyncio.create_task(_supervise(app.state.service.supervisor))
    try:
        yield
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


async def _supervise(supervisor: Supervisor) -> None:
    """Supervise attempts until cancelled. A step that fails is repeated in the next round."""
    while True:
        for step in (supervisor.supervise, reap_orphans):
            try:
                await anyio.to_thread.run_sync(step)
            except Exception:
                log.exception("%s has failed", step.__name__)
        await asyncio.sleep(POLL_SECONDS)
