"""The start message of `make run`."""

import asyncio
import logging
import sys
from contextlib import suppress

from fastapi import FastAPI

from vision_api.catalog.catalog import Catalog
from vision_api.config import Settings
from vision_api.platform import platform_of
from vision_api.training_services import InstanceRegistry

logger = logging.getLogger(__name__)

WAIT_FOR_SERVICES_SECONDS = 10.0


async def announce(app: FastAPI, settings: Settings, *, port: int) -> None:
    """Print the addresses once the services answer, or after 10 s without them."""
    platform = platform_of(app)
    registry, catalog = platform.registry, platform.catalog
    with suppress(TimeoutError):
        async with asyncio.timeout(WAIT_FOR_SERVICES_SECONDS):
            await _wait_for_services(registry)
    url = f"http://{_shown_host(settings.host)}:{port}"
    states = {framework: _state(framework, registry, catalog) for framework in sorted(registry.frameworks)}
    if settings.log_format == "json":
        logger.info("serving at %s; data in %s; %s", url, settings.data_dir, states)
        return
    lines = [
        "",
        "  Vision AI Training Platform",
        f"    {'API':<14}{url}/api/v1",
        f"    {'API docs':<14}{url}/docs",
        f"    {'Data':<14}{settings.data_dir}",
        *(f"    {framework:<14}{state}" for framework, state in states.items()),
        "  Ctrl-C stops everything; the next start continues where it stopped.",
        "",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


async def _wait_for_services(registry: InstanceRegistry) -> None:
    changed = asyncio.Event()
    registry.on_change(changed.set)
    while registry.unavailable_frameworks():
        await changed.wait()
        changed.clear()


def _shown_host(host: str) -> str:
    if host in ("", "::", "0.0.0.0", "127.0.0.1", "::1"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _state(framework: str, registry: InstanceRegistry, catalog: Catalog) -> str:
    models = f"{catalog.index.count(framework)} models"
    instances = registry.available(framework)
    if not instances:
        return f"does not answer yet ({models} known from before)"
    copies = f", {len(instances)} instances" if len(instances) > 1 else ""
    return f"{instances[0].ready.framework_version}, {models}{copies}"
