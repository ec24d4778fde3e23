"""Pre-flight: the checks of an experiment that is not created, and estimates of what it would need."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import open_dataset
from vision_api.catalog.catalog import Catalog
from vision_api.catalog.queries import find_model, get_model
from vision_api.datasets.repository import get_version
from vision_api.models import JobStatus, TrainingJob, User
from vision_api.operations import estimates, repository
from vision_api.operations.context import OperationContext
from vision_api.operations.schemas import PreflightCreate, PreflightRead
from vision_api.operations.use_cases import INTERACTIVE_PRIORITY, new_operation
from vision_api.training_jobs.events import announce_request
from vision_api.training_jobs.resolution.resolver import FOLDER_CHECK_SECONDS, JobResolver
from vision_api.training_jobs.status import switch_status
from vision_contracts import DeviceInfo, JobKind, PreflightOperation, TaskType

LONGEST_SECONDS = 600.0
SETTINGS = ("epochs", "batch_size", "learning_rate", "optimizer", "hyperparameters", "initial_weights", "device")


async def preflight(
    context: OperationContext, resolver: JobResolver, *, user: User, request: PreflightCreate
) -> tuple[PreflightRead, int | None]:
    """Run the checks of creating an experiment and estimate its needs. Returns also the id of the dry run, if any."""
    columns = await resolver.resolve(user=user, request=request)
    card = get_model(resolver.catalog, request.framework, request.model_name)
    async with context.database.snapshot() as session:
        images, size = await _count_images(session, columns)
        device = _device(context, columns)
        known = await _known_time(session, resolver.catalog, columns, device)
    if images is None and columns["dataset_path"] is not None:
        images = await _count_in_folder(columns)
    plan = estimates.TrainingPlan(card, columns, images, size, device, known)
    estimated = estimates.estimate(plan)
    findings = list(estimates.check(plan, estimated))
    result = PreflightRead(
        fits=all(finding.severity != "error" for finding in findings),
        settings={name: columns[name] for name in SETTINGS},
        estimates=estimated,
        findings=findings,
    )
    return result, await _queue_dry_run(context, user, columns) if request.dry_run else None


async def _queue_dry_run(context: OperationContext, user: User, columns: dict[str, Any]) -> int:
    context.require(columns["framework"], JobKind.PREFLIGHT)
    own = columns | {"priority": INTERACTIVE_PRIORITY, "timeout_seconds": LONGEST_SECONDS}
    async with context.database.transaction() as session:
        row = new_operation(context, user, uuid4(), PreflightOperation(), **own)
        session.add(row)
        await session.flush()
        switch_status(session, row, JobStatus.QUEUED)
        announce_request(session, row)
    return row.id


async def _count_images(session: AsyncSession, columns: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return the number of training images and the size in bytes of a data set; None for a folder."""
    dataset_id, number = columns["dataset_id"], columns["dataset_version"]
    version = await get_version(session, dataset_id, number) if dataset_id is not None else None
    if version is None:
        return None, None
    train: dict[str, int] = version.splits.get("train") or {}
    return train.get("images"), version.size_bytes


async def _count_in_folder(columns: dict[str, Any]) -> int | None:
    """Return the number of training images of a folder; None if reading it takes longer than a few seconds.

    A broken folder was refused before.
    """
    path = Path(url2pathname(urlsplit(str(columns["dataset_uri"])).path))

    def count() -> int:
        dataset = open_dataset(path, format=columns["dataset_format"], task_type=TaskType(columns["task_type"]))
        return len(dataset["train"])

    try:
        async with asyncio.timeout(FOLDER_CHECK_SECONDS):
            return await asyncio.to_thread(count)
    except TimeoutError:
        return None


def _device(context: OperationContext, columns: dict[str, Any]) -> DeviceInfo | None:
    """Return the device that the job would get: the requested one, or the best of an instance that answers."""
    devices = [one for each in context.registry.available(columns["framework"]) for one in each.ready.devices]
    requested = columns["device"]
    if requested == "auto":
        return next(iter(devices), None)
    return next((one for one in devices if one.name == requested or one.name.partition(":")[0] == requested), None)


async def _known_time(
    session: AsyncSession, catalog: Catalog, columns: dict[str, Any], device: DeviceInfo | None
) -> estimates.KnownTime | None:
    """Return the epoch time of the newest training of the same model, or else of another model of the framework.

    Only trainings on the same kind of device count.
    """
    if device is None:
        return None
    found = [
        time
        for row, seconds in await repository.list_epoch_seconds(session, columns["framework"], columns["task_type"])
        if _kind((row.environment or {}).get("device", "")) == _kind(device.name)
        and (time := _time_of(catalog, row, seconds, columns["model_name"], device)) is not None
    ]
    return next((time for time in found if time.basis == "earlier_training"), next(iter(found), None))


def _time_of(
    catalog: Catalog, row: TrainingJob, seconds: float, model_name: str, device: DeviceInfo
) -> estimates.KnownTime | None:
    """Return the measured and expected epoch time of a training; None if the catalogue no longer has its model."""
    card = find_model(catalog, row.framework, row.model_name)
    if card is None:
        return None
    images = row.progress_steps / row.epochs * row.batch_size
    expected = estimates.expected_epoch_seconds(images, estimates.gmacs_of(card, row.hyperparameters), device)
    basis = "earlier_training" if row.model_name == model_name else "similar_training"
    return estimates.KnownTime(seconds, expected, basis)


def _kind(device: str) -> str:
    return device.partition(":")[0]
