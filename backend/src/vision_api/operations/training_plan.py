"""Plan of a training that is estimated: its settings, and what is known of its data, device and earlier trainings."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import open_dataset
from vision_api.catalog.catalog import Catalog
from vision_api.catalog.queries import find_model, get_model
from vision_api.datasets.repository import get_version
from vision_api.models import TrainingJob
from vision_api.operations import repository
from vision_api.operations.estimates import KnownTime, TrainingPlan, expected_epoch_seconds, gmacs_of
from vision_api.training_jobs.resolution.resolver import FOLDER_CHECK_SECONDS
from vision_api.training_jobs.settings import JobDataset, JobSettings
from vision_api.training_services import InstanceRegistry
from vision_contracts import DeviceInfo


async def make_plan(
    session: AsyncSession, *, catalog: Catalog, registry: InstanceRegistry, settings: JobSettings
) -> TrainingPlan:
    """Return the plan of a training with these settings; the images of a folder are not counted.

    Raises Invalid if the catalogue does not have the model.
    """
    device = _device(registry, settings)
    images, size = await _count_images(session, settings.dataset)
    known = await _known_time(session, catalog, settings, device)
    card = get_model(catalog, settings.framework, settings.model_name)
    return TrainingPlan(card, settings, images, size, device, known)


async def _count_images(session: AsyncSession, dataset: JobDataset) -> tuple[int | None, int | None]:
    """Return the number of training images and the size in bytes of a data set; None for a folder."""
    if dataset.dataset_id is None or dataset.dataset_version is None:
        return None, None
    version = await get_version(session, dataset.dataset_id, dataset.dataset_version)
    if version is None:
        return None, None
    train: dict[str, int] = version.splits.get("train") or {}
    return train.get("images"), version.size_bytes


async def count_in_folder(settings: JobSettings) -> int | None:
    """Return the number of training images of a folder; None if reading it takes longer than a few seconds.

    A broken folder was refused before.
    """
    path = Path(url2pathname(urlsplit(settings.dataset.dataset_uri).path))

    def count() -> int:
        dataset = open_dataset(path, format=settings.dataset.dataset_format, task_type=settings.task_type)
        return len(dataset["train"])

    try:
        async with asyncio.timeout(FOLDER_CHECK_SECONDS):
            return await asyncio.to_thread(count)
    except TimeoutError:
        return None


def _device(registry: InstanceRegistry, settings: JobSettings) -> DeviceInfo | None:
    """Return the device that the job would get: the requested one, or the best of an instance that answers."""
    devices = [one for each in registry.available(settings.framework) for one in each.ready.devices]
    requested = settings.params.device
    if requested == "auto":
        return next(iter(devices), None)
    return next((one for one in devices if one.name == requested or one.name.partition(":")[0] == requested), None)


async def _known_time(
    session: AsyncSession, catalog: Catalog, settings: JobSettings, device: DeviceInfo | None
) -> KnownTime | None:
    """Return the epoch time of the newest training of the same model, or else of another model of the framework.

    Only trainings on the same kind of device count.
    """
    if device is None:
        return None
    found = [
        time
        for row, seconds in await repository.list_epoch_seconds(session, settings.framework, settings.task_type)
        if _kind((row.environment or {}).get("device", "")) == _kind(device.name)
        and (time := _time_of(catalog, row, seconds, settings.model_name, device)) is not None
    ]
    return next((time for time in found if time.basis == "earlier_training"), next(iter(found), None))


def _time_of(
    catalog: Catalog, row: TrainingJob, seconds: float, model_name: str, device: DeviceInfo
) -> KnownTime | None:
    """Return the measured and expected epoch time of a training; None if the catalogue no longer has its model."""
    card = find_model(catalog, row.framework, row.model_name)
    if card is None:
        return None
    images = row.progress_steps / row.epochs * row.batch_size
    expected = expected_epoch_seconds(images, gmacs_of(card, row.hyperparameters), device)
    basis = "earlier_training" if row.model_name == model_name else "similar_training"
    return KnownTime(seconds, expected, basis)


def _kind(device: str) -> str:
    return device.partition(":")[0]
