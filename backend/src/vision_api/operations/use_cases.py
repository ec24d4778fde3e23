"""Operations on experiments: create, wait for and read them."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import anyio.to_thread
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore, StorageError
from vision_api.datasets.resolution import resolve_for_job
from vision_api.errors import Conflict, Invalid, NotFound
from vision_api.kit.clock import utc_now
from vision_api.kit.idempotency import Idempotency
from vision_api.kit.logging import request_id_var
from vision_api.models import JobStatus, TrainingJob, User
from vision_api.operations import repository
from vision_api.operations.context import OperationContext
from vision_api.operations.image_form import Images
from vision_api.operations.schemas import EvaluationCreate, ExportCreate, OperationRead, PredictedImage
from vision_api.operations.serializers import read_operation, read_predictions
from vision_api.storage_layout import job_uri
from vision_api.training_jobs import access
from vision_api.training_jobs import repository as jobs
from vision_api.training_jobs.events import announce_request
from vision_api.training_jobs.kinds import rules_of
from vision_api.training_jobs.schemas import InitialCheckpoint
from vision_api.training_jobs.settings import JobDataset, JobSettings
from vision_api.training_jobs.status import ENDED, switch_status
from vision_contracts import (
    ArtifactKind,
    EvaluateOperation,
    ExportOperation,
    ImageRef,
    JobKind,
    Operation,
    PredictionReport,
    PredictOperation,
    TaskType,
)

INPUTS = "inputs"
INTERACTIVE_PRIORITY = 10
"""Priority in the queue of an operation whose client waits for the response."""
PREDICTIONS = "predictions.json"
WAIT_SECONDS = 30.0
POLL_SECONDS = 1.0


class OperationCreated(BaseModel):
    """The result that is stored with the idempotency key of a request."""

    id: int


async def predict(
    context: OperationContext, *, user: User, job_id: int, images: Images, idempotency: Idempotency
) -> int:
    """Queue a prediction and return its id. The images are stored before the row is inserted."""
    async with context.database.snapshot() as session:
        job, checkpoint = await _get_checkpoint(session, user, job_id, images.form.artifact)
    context.require(job.framework, JobKind.PREDICT)
    uid = uuid4()
    folder = f"{job_uri(context.settings.storage_url, uid)}/{INPUTS}"
    stored = [
        await anyio.to_thread.run_sync(context.store.put_file, file.path, context.store.key(f"{folder}/{number}"))
        for number, file in enumerate(images.files)
    ]
    names = images.names()
    refs = [ImageRef(name=name, uri=image.uri) for name, image in zip(names, stored, strict=True)]
    form = images.form
    operation = PredictOperation(images=refs, threshold=form.threshold, top_k=form.top_k)
    body = form.model_dump(mode="json") | {"names": names, "images": [image.sha256 for image in stored]}
    row = _new_operation_on(context, user, job, uid, operation, checkpoint=checkpoint, priority=INTERACTIVE_PRIORITY)
    operation_id = await _queue(context, user, row, idempotency, body)
    if operation_id != row.id:  # a repeated request: the first one has stored its own images
        await anyio.to_thread.run_sync(context.store.delete_prefix, context.store.key(folder))
    return operation_id


async def export(
    context: OperationContext, *, user: User, job_id: int, request: ExportCreate, idempotency: Idempotency
) -> int:
    """Queue an export and return its id."""
    async with context.database.snapshot() as session:
        job, checkpoint = await _get_checkpoint(session, user, job_id, request.artifact)
        dataset_name = await repository.dataset_name(session, job)
    context.require(job.framework, JobKind.EXPORT)
    metrics = {"accuracy": job.accuracy, "loss": job.loss, "primary_metric": job.primary_value}
    operation = ExportOperation(
        format=request.format,
        name=job.name,
        metrics={name: value for name, value in metrics.items() if value is not None},
        dataset_name=dataset_name,
    )
    row = _new_operation_on(context, user, job, uuid4(), operation, checkpoint=checkpoint, priority=job.priority)
    return await _queue(context, user, row, idempotency, request)


async def evaluate(
    context: OperationContext, *, user: User, job_id: int, request: EvaluationCreate, idempotency: Idempotency
) -> int:
    """Queue an evaluation and return its id. Without a data set, the experiment's own is used."""
    dataset: JobDataset | None = None
    async with context.database.snapshot() as session:
        job, checkpoint = await _get_checkpoint(session, user, job_id, request.artifact)
        if request.dataset_id is not None and job.project_id is not None:
            dataset = await _dataset(session, user, job, job.project_id, request)
    context.require(job.framework, JobKind.EVALUATE)
    operation = EvaluateOperation(split=request.split)
    row = _new_operation_on(
        context, user, job, uuid4(), operation, checkpoint=checkpoint, priority=job.priority, dataset=dataset
    )
    return await _queue(context, user, row, idempotency, request)


async def _dataset(
    session: AsyncSession, user: User, job: TrainingJob, project_id: int, request: EvaluationCreate
) -> JobDataset:
    assert request.dataset_id is not None  # noqa: S101 - guaranteed by the caller
    resolved = await resolve_for_job(
        session,
        user,
        dataset_id=request.dataset_id,
        version=request.dataset_version,
        project_id=project_id,
        task_type=TaskType(job.task_type),
    )
    return JobDataset.of_version(request.dataset_id, resolved, seed=job.seed)


async def _get_checkpoint(session: AsyncSession, user: User, job_id: int, artifact: str) -> tuple[TrainingJob, str]:
    """Return the experiment and the full name of its checkpoint. Raises NotFound, Forbidden, Conflict or Invalid."""
    job = await access.get_job_for(session, user, job_id, role="editor")
    access.require_training(job, "used again")
    found = await jobs.find_artifact(session, job_id, artifact)
    if found is None and artifact.startswith("checkpoints/best"):
        raise Conflict(f"This experiment is {job.status} and has no checkpoint yet: train it first.")
    if found is None or found.kind != ArtifactKind.CHECKPOINT:
        raise Invalid(f"This experiment has no checkpoint {artifact!r}.", field="artifact")
    return job, found.name


def _new_operation_on(
    context: OperationContext,
    user: User,
    job: TrainingJob,
    uid: UUID,
    operation: Operation,
    *,
    checkpoint: str,
    priority: int,
    dataset: JobDataset | None = None,
) -> TrainingJob:
    settings = JobSettings.of(job)
    changed = {
        "dataset": (dataset or settings.dataset).model_copy(update={"validation_split": "val"}),
        "initial_weights": InitialCheckpoint(job_id=job.id, artifact=checkpoint),
        "priority": priority,
        "timeout_seconds": None,
    }
    settings = settings.model_copy(update=changed)
    return new_operation(context, user, uid, operation, settings, project_id=job.project_id, parent_id=job.id)


async def _queue(
    context: OperationContext,
    user: User,
    row: TrainingJob,
    idempotency: Idempotency,
    body: BaseModel | Mapping[str, Any],
) -> int:
    """Insert `row` as queued and return its id, or the id of the row that the same request has inserted before.

    The experiment is locked, so that it is not deleted meanwhile.
    """
    assert row.parent_id is not None  # noqa: S101 - every row that is queued here has a parent
    async with context.database.transaction() as session:
        await access.lock_job_for(session, user, row.parent_id)

        async def add() -> OperationCreated:
            session.add(row)
            await session.flush()
            switch_status(session, row, JobStatus.QUEUED)
            announce_request(session, row)
            return OperationCreated(id=row.id)

        created = await idempotency.once(session, user_id=user.id, body=body, result_type=OperationCreated, create=add)
    return created.id


def new_operation(
    context: OperationContext,
    user: User,
    uid: UUID,
    operation: Operation,
    settings: JobSettings,
    *,
    project_id: int | None,
    parent_id: int | None = None,
) -> TrainingJob:
    """Return the row of an operation, which takes one device. It is not yet inserted or queued."""
    now = utc_now()
    own = {
        "project_id": project_id,
        "parent_id": parent_id,
        "job_uid": uid,
        "output_uri": job_uri(context.settings.storage_url, uid),
        "created_by_id": user.id,
        "created_at": now,
        "updated_at": now,
        "queued_at": now,
        "request_id": request_id_var.get(),
        "name": operation.kind,
        "notes": "",
        "num_devices": 1,
        "kind": operation.kind,
        "work": operation.model_dump(mode="json"),
        "status": JobStatus.PENDING,
    }
    return TrainingJob(**(settings.columns() | own))


async def wait(context: OperationContext, operation_id: int, *, seconds: float = WAIT_SECONDS) -> bool:
    """Wait for the end of an operation, and return whether it has ended. No session is open while it waits."""
    deadline = time.monotonic() + seconds
    with context.notifier.subscribe_job(operation_id) as wakeup:
        while True:
            async with context.database.snapshot() as session:
                row = await jobs.get_job(session, operation_id)
            if row is None or row.status in ENDED:
                return True
            if (left := deadline - time.monotonic()) <= 0:
                return False
            await wakeup.wait(min(left, POLL_SECONDS))


async def get_operation(
    context: OperationContext, *, user: User, operation_id: int, job_id: int | None
) -> OperationRead:
    """Return an operation with its predictions, if it has any; without `job_id`, a pre-flight. Raises NotFound."""
    async with context.database.snapshot() as session:
        if job_id is not None:
            await access.get_job_for(session, user, job_id)
        row = await repository.get_operation(session, operation_id, parent_id=job_id)
        if row is None:
            raise NotFound("This experiment has no such operation (any more).")
        await access.get_job_for(session, user, row.id)
        [operation] = await _read(session, [row])
        report = await jobs.find_artifact(session, row.id, PREDICTIONS) if rules_of(row).has_predictions else None
    if report is None:
        return operation
    predictions = await asyncio.to_thread(_load_predictions, context.store, report.uri, operation_id)
    return operation.model_copy(update={"predictions": predictions})


async def list_operations(session: AsyncSession, *, user: User, job_id: int, limit: int) -> list[OperationRead]:
    """Return the operations on an experiment, newest first, without predictions. Raises NotFound."""
    await access.get_job_for(session, user, job_id)
    return await _read(session, await repository.list_operations(session, job_id, limit=limit))


async def _read(session: AsyncSession, rows: Sequence[TrainingJob]) -> list[OperationRead]:
    """Read all rows with a number of statements that does not depend on theirs."""
    operation_ids = [row.id for row in rows]
    positions = await jobs.queue_positions(session, rows)
    values = await repository.list_last_values(session, operation_ids)
    artifacts = await repository.list_operation_artifacts(session, operation_ids)
    return [
        read_operation(row, queue_position=positions.get(row.id), values=values[row.id], artifacts=artifacts[row.id])
        for row in rows
    ]


def _load_predictions(store: ObjectStore, uri: str, operation_id: int) -> list[PredictedImage] | None:
    try:
        report = PredictionReport.model_validate_json(store.read_bytes(uri))
    except StorageError:
        return None
    return read_predictions(report, operation_id)
