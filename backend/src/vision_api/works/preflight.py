"""Before a training: does everything fit, and what will it need?"""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import open_dataset
from vision_api.catalog.use_cases import get_model
from vision_api.models import DatasetVersion, JobStatus, MetricPoint, TrainingJob, User
from vision_api.training_jobs.settling import FOLDER_CHECK_SECONDS, Settler
from vision_api.training_jobs.status import switch_status
from vision_api.works import estimates
from vision_api.works.schemas import PreflightCreate, PreflightRead
from vision_api.works.use_cases import SOMEBODY_WAITS, Workshop, new_work
from vision_contracts import DeviceInfo, JobKind, PreflightWork, TaskType, metric_names

LONGEST_SECONDS = 600.0
SETTINGS = ("epochs", "batch_size", "learning_rate", "optimizer", "hyperparameters", "initial_weights", "device")


async def preflight(
    shop: Workshop, settler: Settler, *, user: User, request: PreflightCreate
) -> tuple[PreflightRead, int | None]:
    """Everything that creating the experiment would check, and what it would need. With a dry run, also its id."""
    columns = await settler.settle(user=user, request=request)
    card = get_model(settler.catalog, request.framework, request.model_name)
    async with shop.database.snapshot() as session:
        images, size = await _count_images(session, columns)
        device = _device(shop, columns)
        per_image = await _seconds_per_image(session, columns, device)
    if images is None and columns["dataset_path"] is not None:
        images = await _count_in_folder(columns)
    plan = estimates.Plan(card, columns, images, size, device, per_image)
    estimated = estimates.estimate(plan)
    findings = list(estimates.find(plan, estimated))
    answer = PreflightRead(
        fits=all(finding.severity != "error" for finding in findings),
        settings={name: columns[name] for name in SETTINGS},
        estimates=estimated,
        findings=findings,
    )
    return answer, await _queue(shop, user, columns) if request.dry_run else None


async def _queue(shop: Workshop, user: User, columns: dict[str, Any]) -> int:
    shop.require(columns["framework"], JobKind.PREFLIGHT)
    own = columns | {"priority": SOMEBODY_WAITS, "timeout_seconds": LONGEST_SECONDS}
    async with shop.database.transaction() as session:
        row = new_work(shop, user, uuid4(), PreflightWork(), **own)
        session.add(row)
        await session.flush()
        switch_status(session, row, JobStatus.QUEUED)
    shop.wakeups.job_asked(row.id)
    return row.id


async def _count_images(session: AsyncSession, columns: dict[str, Any]) -> tuple[int | None, int | None]:
    """How many to train on, and the size of the data set, where it is the platform's own."""
    version = DatasetVersion
    is_its = (version.dataset_id == columns["dataset_id"]) & (version.number == columns["dataset_version"])
    found = await session.scalar(select(version).where(is_its)) if columns["dataset_id"] is not None else None
    if found is None:
        return None, None
    train: dict[str, int] = found.splits.get("train") or {}
    return train.get("images"), found.size_bytes


async def _count_in_folder(columns: dict[str, Any]) -> int | None:
    """None for a folder that takes longer than a few seconds to read; a broken one was refused before."""
    path = Path(url2pathname(urlsplit(str(columns["dataset_uri"])).path))

    def count() -> int:
        dataset = open_dataset(path, format=columns["dataset_format"], task_type=TaskType(columns["task_type"]))
        return len(dataset["train"])

    try:
        async with asyncio.timeout(FOLDER_CHECK_SECONDS):
            return await asyncio.to_thread(count)
    except TimeoutError:
        return None


def _device(shop: Workshop, columns: dict[str, Any]) -> DeviceInfo | None:
    """The device that the job would get: the one that it names, else the best of an instance that answers."""
    devices = [one for each in shop.registry.available(columns["framework"]) for one in each.ready.devices]
    wanted = columns["device"]
    if wanted == "auto":
        return next(iter(devices), None)
    return next((one for one in devices if one.name == wanted or one.name.partition(":")[0] == wanted), None)


async def _seconds_per_image(session: AsyncSession, columns: dict[str, Any], device: DeviceInfo | None) -> float | None:
    """Of the newest training with the same model, image size and kind of device whose steps are known."""
    job, point = TrainingJob, MetricPoint
    is_alike = (job.framework == columns["framework"]) & (job.model_name == columns["model_name"])
    wanted = (
        select(job, point.value, point.epoch)
        .join(point, point.job_id == job.id)
        .where(is_alike, job.kind == JobKind.TRAIN, point.name == metric_names.EPOCH_SECONDS, job.progress_steps > 0)
        .order_by(job.id.desc(), point.step.desc())
        .limit(20)
    )
    for row, seconds, _ in await session.execute(wanted):
        if not seconds or device is None or not _trained_alike(row, columns, device):
            continue
        images = row.progress_steps / row.epochs * row.batch_size
        return seconds / images
    return None


def _trained_alike(row: TrainingJob, columns: dict[str, Any], device: DeviceInfo) -> bool:
    same_size = row.hyperparameters.get("image_size") == columns["hyperparameters"].get("image_size")
    trained_on = (row.environment or {}).get("device", "")
    return same_size and trained_on.partition(":")[0] == device.name.partition(":")[0]
