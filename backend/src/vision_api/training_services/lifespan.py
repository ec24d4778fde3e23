"""The registry for as long as the backend runs."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from vision_api.config import Settings
from vision_api.training_services.client import Connections
from vision_api.training_services.hosts import HostSource
from vision_api.training_services.local import LocalServices, find_programs
from vision_api.training_services.registry import AddressSource, InstanceRegistry

STOP_MARGIN_SECONDS = 40.0
"""What a service may need beyond the time that its trainers are given: to kill one that does not listen, and to let
its runner upload what it has left. With nothing running it takes a fraction of a second."""


def make_source(settings: Settings) -> AddressSource:
    """The one difference between the two environments. Raises ConfigurationError for a URL that is none."""
    if settings.training_execution_mode == "http":
        token = settings.service_token
        return HostSource(settings.service_urls, token.get_secret_value() if token else "")
    stop_within_seconds = settings.stop_grace_seconds + STOP_MARGIN_SECONDS
    return LocalServices(find_programs(settings), stop_within_seconds=stop_within_seconds)


@asynccontextmanager
async def running_registry(settings: Settings, *, is_idle: bool = False) -> AsyncGenerator[InstanceRegistry]:
    """A registry that is kept right; `is_idle`: one that starts nothing and asks nobody.

    At the end, services that the backend has started are ended.
    """
    registry = InstanceRegistry(make_source(settings), Connections())
    keeping = None if is_idle else asyncio.create_task(registry.run(), name="training-services")
    try:
        yield registry
    finally:
        if keeping is not None:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
        await registry.close()
