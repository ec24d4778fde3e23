"""Operations on experiments, in several phases: read, store images or count them, write; and wait for the end."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import anyio.to_thread
from pydantic import BaseModel

from data_kit import ObjectStore, StorageError
from vision_api.catalog.catalog import Catalog
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.errors import Invalid
from vision_api.kit.idempotency import Idempotency
from vision_api.models import TrainingJob, User
from vision_api.operations import estimates, use_cases
from vision_api.operations.image_form import Images
from vision_api.operations.rows import new_operation, new_operation_on
from vision_api.operations.schemas import (
    EvaluationCreate,
    ExportCreate,
    OperationRead,
    PredictedImage,
    PreflightCreate,
    PreflightRead,
)
from vision_api.operations.serializers import read_predictions
from vision_api.operations.training_plan import count_in_folder, make_plan
from vision_api.storage_layout import job_uri
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.resolution.resolver import resolve
from vision_api.training_jobs.settings import CARD_FIELDS
from vision_api.training_services import InstanceRegistry
from vision_contracts import (
    EvaluateOperation,
    ExportOperation,
    ImageRef,
    JobKind,
    PredictionReport,
    PredictOperation,
    PreflightOperation,
)

INPUTS = "inputs"
INTERACTIVE_PRIORITY = 10
"""Priority in the queue of an operation whose client waits for the response."""
LONGEST_PREFLIGHT_SECONDS = 600.0
POLL_SECONDS = 1.0
PREFLIGHT_SETTINGS = (*CARD_FIELDS, "hyperparameters", "initial_weights", "device")
"""Settings that a pre-flight shows."""
WAIT_SECONDS = 30.0


async def predict(
    database: Database,
    *,
    settings: Settings,
    store: ObjectStore,
    registry: InstanceRegistry,
    user: User,
    job_id: int,
    images: Images,
    idempotency: Idempotency,
) -> int:
    """Queue a prediction and return its id. The images are stored before the row is inserted."""
    form = images.form
    async with database.snapshot() as session:
        job, checkpoint = await use_cases.get_checkpoint(session, user=user, job_id=job_id, artifact=form.artifact)
    _require_kind(registry, job.framework, JobKind.PREDICT)
    uid = uuid4()
    folder = f"{job_uri(settings.storage_url, uid)}/{INPUTS}"
    stored = [
        await anyio.to_thread.run_sync(store.put_file, file.path, store.key(f"{folder}/{number}"))
        for number, file in enumerate(images.files)
    ]
    names = images.names()
    refs = [ImageRef(name=name, uri=image.uri) for name, image in zip(names, stored, strict=True)]
    body = form.model_dump(mode="json") | {"names": names, "images": [image.sha256 for image in stored]}
    row = new_operation_on(
        job,
        PredictOperation(images=refs, threshold=form.threshold, top_k=form.top_k),
        uid=uid,
        storage_url=settings.storage_url,
        user=user,
        checkpoint=checkpoint,
        priority=INTERACTIVE_PRIORITY,
    )
    operation_id = await _queue(database, user=user, row=row, idempotency=idempotency, body=body)
    if operation_id != row.id:  # a repeated request: the first one has stored its own images
        await anyio.to_thread.run_sync(store.delete_prefix, store.key(folder))
    return operation_id


async def export(
    database: Database,
    *,
    settings: Settings,
    registry: InstanceRegistry,
    user: User,
    job_id: int,
    request: ExportCreate,
    idempotency: Idempotency,
) -> int:
    """Queue an export and return its id."""
    async with database.snapshot() as session:
        job, checkpoint = await use_cases.get_checkpoint(session, user=user, job_id=job_id, artifact=request.artifact)
        dataset_name = await use_cases.get_dataset_name(session, job=job)
    _require_kind(registry, job.framework, JobKind.EXPORT)
    metrics = {"accuracy": job.accuracy, "loss": job.loss, "primary_metric": job.primary_value}
    operation = ExportOperation(
        format=request.format,
        name=job.name,
        metrics={name: value for name, value in metrics.items() if value is not None},
        dataset_name=dataset_name,
    )
    row = new_operation_on(
        job,
        operation,
        uid=uuid4(),
        storage_url=settings.storage_url,
        user=user,
        checkpoint=checkpoint,
        priority=job.priority,
    )
    return await _queue(database, user=user, row=row, idempotency=idempotency, body=request)


async def evaluate(
    database: Database,
    *,
    settings: Settings,
    registry: InstanceRegistry,
    user: User,
    job_id: int,
    request: EvaluationCreate,
    idempotency: Idempotency,
) -> int:
    """Queue an evaluation and return its id. Without a data set, the experiment's own is used."""
    async with database.snapshot() as session:
        job, checkpoint = await use_cases.get_checkpoint(session, user=user, job_id=job_id, artifact=request.artifact)
        dataset = await use_cases.find_dataset(session, user=user, job=job, request=request)
    _require_kind(registry, job.framework, JobKind.EVALUATE)
    row = new_operation_on(
        job,
        EvaluateOperation(split=request.split),
        uid=uuid4(),
        storage_url=settings.storage_url,
        user=user,
        checkpoint=checkpoint,
        priority=job.priority,
        dataset=dataset,
    )
    return await _queue(database, user=user, row=row, idempotency=idempotency, body=request)


async def preflight(
    database: Database,
    *,
    settings: Settings,
    catalog: Catalog,
    registry: InstanceRegistry,
    user: User,
    request: PreflightCreate,
) -> tuple[PreflightRead, int | None]:
    """Run the checks of creating an experiment and estimate its needs. Returns also the id of the dry run, if any."""
    resolved = await resolve(database, settings=settings, catalog=catalog, user=user, request=request)
    async with database.snapshot() as session:
        plan = await make_plan(session, catalog=catalog, registry=registry, settings=resolved)
    if resolved.dataset.dataset_path is not None:
        plan = replace(plan, train_images=await count_in_folder(resolved))
    estimated = estimates.estimate(plan)
    findings = list(estimates.check(plan, estimated))
    result = PreflightRead(
        fits=all(finding.severity != "error" for finding in findings),
        settings={name: value for name, value in resolved.columns().items() if name in PREFLIGHT_SETTINGS},
        estimates=estimated,
        findings=findings,
    )
    if not request.dry_run:
        return result, None
    _require_kind(registry, resolved.framework, JobKind.PREFLIGHT)
    row = new_operation(
        PreflightOperation(),
        resolved.model_copy(update={"priority": INTERACTIVE_PRIORITY, "timeout_seconds": LONGEST_PREFLIGHT_SECONDS}),
        uid=uuid4(),
        storage_url=settings.storage_url,
        user=user,
        project_id=request.project_id,
    )
    return result, await _queue(database, user=user, row=row)


async def wait(database: Database, *, notifier: Notifier, operation_id: int, seconds: float = WAIT_SECONDS) -> bool:
    """Wait for the end of an operation, and return whether it has ended. No session is open while it waits."""
    deadline = time.monotonic() + seconds
    with notifier.subscribe_job(operation_id) as wakeup:
        while True:
            async with database.snapshot() as session:
                if await use_cases.has_ended(session, operation_id=operation_id):
                    return True
            if (left := deadline - time.monotonic()) <= 0:
                return False
            await wakeup.wait(min(left, POLL_SECONDS))


async def get_operation(
    database: Database, *, store: ObjectStore, user: User, operation_id: int, job_id: int | None
) -> OperationRead:
    """Return an operation with its predictions, if it has any; without `job_id`, a pre-flight. Raises NotFound."""
    async with database.snapshot() as session:
        operation, report = await use_cases.get_operation(session, user=user, operation_id=operation_id, job_id=job_id)
    if report is None:
        return operation
    predictions = await asyncio.to_thread(_load_predictions, store, report.uri, operation_id)
    return operation.model_copy(update={"predictions": predictions})


async def _queue(
    database: Database,
    *,
    user: User,
    row: TrainingJob,
    idempotency: Idempotency | None = None,
    body: BaseModel | Mapping[str, Any] | None = None,
) -> int:
    async with database.transaction() as session:
        return await use_cases.queue(session, user=user, row=row, idempotency=idempotency, body=body)


def _require_kind(registry: InstanceRegistry, framework: str, kind: JobKind) -> None:
    """Raise Invalid(kind_not_supported) if no instance of the framework that answers supports `kind`."""
    kinds = [each.ready.kinds for each in registry.instances if each.framework == framework]
    if kinds and not any(kind in each for each in kinds):
        message = f"The {framework} training service cannot {kind}. Update it, or use another framework."
        raise Invalid(message, code="kind_not_supported")


def _load_predictions(store: ObjectStore, uri: str, operation_id: int) -> list[PredictedImage] | None:
    try:
        report = PredictionReport.model_validate_json(store.read_bytes(uri))
    except StorageError:
        return None
    return read_predictions(report, operation_id)
