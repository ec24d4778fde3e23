"""The registry for as long as the backend runs."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from vision_api.config import Settings
from vision_api.training_services.client import ConnectionPools
from vision_api.training_services.local import LocalServices, find_programs
from vision_api.training_services.registry import AddressSource, InstanceRegistry
from vision_api.training_services.remote import RemoteServices

STOP_MARGIN_SECONDS = 40.0
"""Time that a service may need beyond that of its trainers: to kill one that does not stop, and to let
its runner upload what it has left. With nothing running it takes a fraction of a second."""


def make_source(settings: Settings) -> AddressSource:
    """Return the remote or the local services. Raises ConfigurationError for a URL that is not valid."""
    if settings.training_execution_mode == "http":
        token = settings.service_token
        return RemoteServices(settings.service_urls, token.get_secret_value() if token else "")
    stop_within_seconds = settings.stop_grace_seconds + STOP_MARGIN_SECONDS
    return LocalServices(find_programs(settings), stop_within_seconds=stop_within_seconds)


@asynccontextmanager
async def running_registry(settings: Settings, *, is_idle: bool = False) -> AsyncGenerator[InstanceRegistry]:
    """Run a registry; with `is_idle` it starts no service and polls none.

    At the end, services that the backend has started are ended.
    """
    registry = InstanceRegistry(make_source(settings), ConnectionPools())
    polling = None if is_idle else asyncio.create_task(registry.run(), name="training-services")
    try:
        yield registry
    finally:
        if polling is not None:
            polling.cancel()
            with suppress(asyncio.CancelledError):
                await polling
        await registry.close()
