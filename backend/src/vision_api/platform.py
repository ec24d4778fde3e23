"""The parts of a running application, and the one place that holds them."""

from dataclasses import dataclass

from fastapi import FastAPI

from data_kit import ObjectStore
from http_kit.request_metrics import RequestMetrics
from vision_api.auth.tokens import AccessTokens
from vision_api.catalog.catalog import Catalog
from vision_api.config import Settings
from vision_api.datasets.previews.drawers import Drawers
from vision_api.db.session import Database
from vision_api.disk_space.disks import Disks
from vision_api.health.readiness import StorageProbe
from vision_api.health.state_metrics import StateMetrics
from vision_api.kit.clock import Clock, utc_now
from vision_api.kit.response_cache import ResponseCache
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_services import InstanceRegistry


@dataclass(frozen=True)
class Platform:
    """The parts that the lifespan has started. Endpoints get them by `vision_api.dependencies`."""

    settings: Settings
    database: Database
    store: ObjectStore
    disks: Disks
    access_tokens: AccessTokens
    registry: InstanceRegistry
    catalog: Catalog
    notifier: Notifier
    project_lists: ResponseCache
    storage_probe: StorageProbe
    request_metrics: RequestMetrics
    state_metrics: StateMetrics
    drawers: Drawers
    clock: Clock = utc_now
    """The time that throttles go by."""


def hold_platform(app: FastAPI, platform: Platform) -> None:
    """Make `platform` that of the application."""
    app.state.platform = platform


def find_platform(app: FastAPI) -> Platform | None:
    """Return the platform of the application; None before its lifespan has made it."""
    platform: Platform | None = getattr(app.state, "platform", None)
    return platform


def platform_of(app: FastAPI) -> Platform:
    """Return the platform of an application that has started."""
    platform = find_platform(app)
    if platform is None:
        raise RuntimeError("The application has not started: its lifespan makes the platform.")
    return platform
