"""The training services, as the backend sees them: the only place that speaks HTTP to anybody."""

from vision_api.training_services.address import Address
from vision_api.training_services.client import ServiceClient
from vision_api.training_services.errors import ServiceError, ServiceRejected, ServiceSilent, ServiceUnavailable
from vision_api.training_services.lifespan import make_source, running_registry
from vision_api.training_services.registry import Instance, InstanceRegistry

__all__ = [
    "Address",
    "Instance",
    "InstanceRegistry",
    "ServiceClient",
    "ServiceError",
    "ServiceRejected",
    "ServiceSilent",
    "ServiceUnavailable",
    "make_source",
    "running_registry",
]
