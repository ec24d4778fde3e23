"""The state that the routes of a training service share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from data_kit import open_store
from trainer_kit.adapter import Adapter, entry_point
from trainer_kit.catalog import Catalog, load_catalog
from trainer_kit.devices import count_gpus
from trainer_kit.server.validation import SpecValidator
from trainer_kit.settings import ServiceSettings
from trainer_kit.supervisor import Supervisor
from vision_contracts import DeviceInfo, JobKind


@dataclass
class Service:
    """One instance of a training service: its catalogue, its supervisor and its devices."""

    catalog: Catalog
    supervisor: Supervisor
    validator: SpecValidator
    devices: Sequence[DeviceInfo]
    kinds: Sequence[JobKind] = (JobKind.TRAIN,)
    is_closing: bool = False
    """True when the process is about to end, so that event streams end."""


def create_service(
    adapter: Adapter, settings: ServiceSettings, supervisor: Supervisor, devices: Sequence[DeviceInfo]
) -> Service:
    """Create the service. Raises CatalogError for a missing catalogue, StorageError for an unknown storage URL."""
    catalog = load_catalog(adapter.catalog_file)
    store, gpus = open_store(settings.storage_url), count_gpus(devices)
    validator = SpecValidator(adapter, catalog, store, settings.dataset_roots, gpus=gpus)
    kinds = [kind for kind in JobKind if entry_point(adapter, kind) is not None]
    return Service(catalog, supervisor, validator, devices, kinds)


def _current_service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


CurrentService = Annotated[Service, Depends(_current_service)]
