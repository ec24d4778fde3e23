"""Dependencies of operations."""

from dataclasses import dataclass

from data_kit import ObjectStore
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.errors import Invalid
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_services import InstanceRegistry
from vision_contracts import JobKind


@dataclass(frozen=True)
class OperationContext:
    """Dependencies of the use cases."""

    database: Database
    settings: Settings
    store: ObjectStore
    registry: InstanceRegistry
    notifier: Notifier

    def require(self, framework: str, kind: JobKind) -> None:
        """Raise Invalid(kind_not_supported) if no instance of the framework that answers supports `kind`."""
        kinds = [each.ready.kinds for each in self.registry.instances if each.framework == framework]
        if kinds and not any(kind in each for each in kinds):
            message = f"The {framework} training service cannot {kind}. Update it, or use another framework."
            raise Invalid(message, code="kind_not_supported")
