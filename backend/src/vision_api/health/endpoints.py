"""Routes `/health`, `/ready` and `/metrics`, for operators and so outside of `/api/v1`."""

import hmac
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, disable_created_metrics, generate_latest
from pydantic import Field

from vision_api.dependencies import PlatformDep
from vision_api.errors import NotFound, Unauthorized
from vision_api.health.readiness import Degradation, find_degradations
from vision_api.kit.schemas import ReadModel

router = APIRouter(tags=["health"])
disable_created_metrics()  # one more series for each counter, without use


class HealthRead(ReadModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class DiskRead(ReadModel):
    """Room of a disk of this backend: `low` below twice its reserve, `full` below it, where nothing new is taken."""

    status: Literal["ok", "low", "full"]
    free_bytes: int
    reserve_bytes: int


class ReadyRead(ReadModel):
    """The process can work. A training service that is down degrades it: its jobs wait."""

    status: Literal["ready", "degraded"]
    database: Literal["ok"] = "ok"
    disks: dict[str, DiskRead] = Field(description="By what lies on them: `data`, `database`, `storage`.")
    services: dict[str, Literal["ok", "degraded"]]
    troubles: list[Degradation] = Field(
        description="What is not ready, and what follows from it. Empty when all is well."
    )


@router.get("/health")
async def get_health() -> HealthRead:
    """Answer as long as the process lives."""
    return HealthRead()


@router.get("/ready")
async def get_ready(platform: PlatformDep) -> ReadyRead:
    """Check the database (503 if it does not answer), the schema, the storage and the training services."""
    registry = platform.registry
    degradations = await find_degradations(platform.database, registry, platform.storage_probe, platform.disks)
    missing = registry.unavailable_frameworks()
    services: dict[str, Literal["ok", "degraded"]] = {
        framework: "degraded" if framework in missing else "ok" for framework in sorted(registry.frameworks)
    }
    return ReadyRead(
        status="degraded" if degradations else "ready",
        disks={name: DiskRead.model_validate(room) for name, room in platform.disks.read().items()},
        services=services,
        troubles=degradations,
    )


@router.get("/metrics", response_class=Response, include_in_schema=False)
async def get_metrics(platform: PlatformDep, authorization: Annotated[str, Header()] = "") -> Response:
    """Return all metrics in Prometheus' text format. In production it needs `METRICS_TOKEN`."""
    settings = platform.settings
    if settings.metrics_token is not None:
        expected = f"Bearer {settings.metrics_token.get_secret_value()}"
        if not hmac.compare_digest(authorization.encode(), expected.encode()):
            raise Unauthorized("Send METRICS_TOKEN as a bearer token.")
    elif settings.is_production:
        raise NotFound("Set METRICS_TOKEN to publish metrics in production.")
    registries = (platform.request_metrics.registry, REGISTRY, await platform.state_metrics.read())
    return Response(b"".join(map(generate_latest, registries)), media_type=CONTENT_TYPE_PLAIN_0_0_4)
