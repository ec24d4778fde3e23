"""The training services, as the backend sees them: the only package that sends HTTP requests."""

from vision_api.training_services.address import ServiceAddress
from vision_api.training_services.client import ServiceClient
from vision_api.training_services.errors import ServiceError, ServiceRejected, ServiceSilent, ServiceUnavailable
from vision_api.training_services.lifespan import make_source, running_registry
from vision_api.training_services.registry import Instance, InstanceRegistry

__all__ = [
    "Instance",
    "InstanceRegistry",
    "ServiceAddress",
    "ServiceClient",
    "ServiceError",
    "ServiceRejected",
    "ServiceSilent",
    "ServiceUnavailable",
    "make_source",
    "running_registry",
]
