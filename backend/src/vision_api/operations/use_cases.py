"""Works as rows: asked for, and waited for. Reading them is in `reading.py`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import anyio.to_thread
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore, StoredObject
from vision_api.config import Settings
from vision_api.datasets import use_cases as datasets
from vision_api.db.session import Database
from vision_api.errors import Conflict, Invalid
from vision_api.kit.clock import utc_now
from vision_api.kit.idempotency import Idempotency
from vision_api.kit.logging import request_id_var
from vision_api.models import JobStatus, TrainingJob, User
from vision_api.operations import repository
from vision_api.operations.image_form import Images
from vision_api.operations.schemas import EvaluationCreate, ExportCreate
from vision_api.storage_layout import job_uri
from vision_api.training_jobs import access
from vision_api.training_jobs import repository as jobs
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.status import ENDED, switch_status
from vision_api.training_services import InstanceRegistry
from vision_contracts import (
    ArtifactKind,
    EvaluateOperation,
    ExportOperation,
    ImageRef,
    JobKind,
    Operation,
    PredictOperation,
    TaskType,
)

INPUTS = "inputs"
SOMEBODY_WAITS = 10
"""Priority of a prediction in the queue."""
WAIT_SECONDS = 30.0
POLL_SECONDS = 1.0

_COPIED = (
    "project_id", "framework", "model_name", "task_type", "dataset_id", "dataset_version", "dataset_path",
    "dataset_uri", "dataset_format", "dataset_digest", "epochs", "batch_size", "learning_rate", "optimizer",
    "seed", "hyperparameters",
)  # fmt: skip


class Added(BaseModel):
    """What is remembered of a request for a work."""

    id: int


@dataclass(frozen=True)
class OperationContext:
    """What asking for a work needs."""

    database: Database
    settings: Settings
    store: ObjectStore
    registry: InstanceRegistry
    notifier: Notifier

    def require(self, framework: str, kind: JobKind) -> None:
        """Raises Invalid(kind_not_supported) where every instance of the framework that answers cannot do it."""
        kinds = [each.ready.kinds for each in self.registry.instances if each.framework == framework]
        if kinds and not any(kind in each for each in kinds):
            message = f"The {framework} training service cannot {kind}. Update it, or use another framework."
            raise Invalid(message, code="kind_not_supported")


async def predict(
    context: OperationContext, *, user: User, job_id: int, images: Images, idempotency: Idempotency
) -> int:
    """Queue a prediction; returns its id. The images are stored before the row is there."""
    async with context.database.snapshot() as session:
        job, checkpoint = await _find(session, user, job_id, images.form.artifact)
    context.require(job.framework, JobKind.PREDICT)
    uid = uuid4()
    folder = f"{job_uri(context.settings.storage_url, uid)}/{INPUTS}"
    stored = [await _store(context.store, file.file, f"{folder}/{number}") for number, file in enumerate(images.files)]
    names = images.names()
    refs = [ImageRef(name=name, uri=image.uri) for name, image in zip(names, stored, strict=True)]
    form = images.form
    work = PredictOperation(images=refs, threshold=form.threshold, top_k=form.top_k)
    sent = form.model_dump(mode="json") | {"names": names, "images": [image.sha256 for image in stored]}
    row = _row(context, user, job, uid, work, checkpoint=checkpoint, priority=SOMEBODY_WAITS)
    operation_id = await _add(context, user, row, idempotency, sent)
    if operation_id != row.id:  # an answer from before, which has images of its own
        await anyio.to_thread.run_sync(context.store.delete_prefix, context.store.key(folder))
    return operation_id


async def export(
    context: OperationContext, *, user: User, job_id: int, request: ExportCreate, idempotency: Idempotency
) -> int:
    """Queue an export; returns its id."""
    async with context.database.snapshot() as session:
        job, checkpoint = await _find(session, user, job_id, request.artifact)
        dataset_name = await repository.dataset_name(session, job)
    context.require(job.framework, JobKind.EXPORT)
    metrics = {"accuracy": job.accuracy, "loss": job.loss, "primary_metric": job.primary_value}
    work = ExportOperation(
        format=request.format,
        name=job.name,
        metrics={name: value for name, value in metrics.items() if value is not None},
        dataset_name=dataset_name,
    )
    row = _row(context, user, job, uuid4(), work, checkpoint=checkpoint, priority=job.priority)
    return await _add(context, user, row, idempotency, request)


async def evaluate(
    context: OperationContext, *, user: User, job_id: int, request: EvaluationCreate, idempotency: Idempotency
) -> int:
    """Queue an evaluation; returns its id. Without a data set, on the experiment's own."""
    own: dict[str, Any] = {}
    async with context.database.snapshot() as session:
        job, checkpoint = await _find(session, user, job_id, request.artifact)
        if request.dataset_id is not None and job.project_id is not None:
            own = await _dataset(session, user, job, job.project_id, request)
    context.require(job.framework, JobKind.EVALUATE)
    work = EvaluateOperation(split=request.split)
    row = _row(context, user, job, uuid4(), work, checkpoint=checkpoint, priority=job.priority, **own)
    return await _add(context, user, row, idempotency, request)


async def _dataset(
    session: AsyncSession, user: User, job: TrainingJob, project_id: int, request: EvaluationCreate
) -> dict[str, Any]:
    assert request.dataset_id is not None  # noqa: S101 - how it is called
    resolved = await datasets.resolve_for_job(
        session,
        user,
        dataset_id=request.dataset_id,
        version=request.dataset_version,
        project_id=project_id,
        task_type=TaskType(job.task_type),
    )
    return {
        "dataset_id": request.dataset_id,
        "dataset_version": resolved.version,
        "dataset_path": None,
        "dataset_uri": resolved.ref.uri,
        "dataset_format": resolved.ref.format,
        "dataset_digest": resolved.ref.digest,
    }


async def _find(session: AsyncSession, user: User, job_id: int, artifact: str) -> tuple[TrainingJob, str]:
    """The experiment and the full name of its checkpoint. Raises NotFound, Forbidden, Conflict or Invalid."""
    job = await access.get_job_for(session, user, job_id, role="editor")
    access.require_training(job, "used again")
    found = await jobs.find_artifact(session, job_id, artifact)
    if found is None and artifact.startswith("checkpoints/best"):
        raise Conflict(f"This experiment is {job.status} and has no checkpoint yet: train it first.")
    if found is None or found.kind != ArtifactKind.CHECKPOINT:
        raise Invalid(f"This experiment has no checkpoint {artifact!r}.", field="artifact")
    return job, found.name


async def _store(store: ObjectStore, file: Any, uri: str) -> StoredObject:
    """Put a spooled file where the training service finds it."""

    def chunks() -> Any:
        file.seek(0)
        while chunk := file.read(2**20):
            yield chunk

    return await anyio.to_thread.run_sync(lambda: store.put_stream(chunks(), store.key(uri)))


def _row(
    context: OperationContext,
    user: User,
    job: TrainingJob,
    uid: UUID,
    work: Operation,
    *,
    checkpoint: str,
    priority: int,
    **own: Any,
) -> TrainingJob:
    columns = {name: getattr(job, name) for name in _COPIED} | own
    columns["initial_weights"] = {"job_id": job.id, "artifact": checkpoint}
    return new_operation(context, user, uid, work, parent_id=job.id, priority=priority, device=job.device, **columns)


async def _add(
    context: OperationContext,
    user: User,
    row: TrainingJob,
    idempotency: Idempotency,
    sent: BaseModel | Mapping[str, Any],
) -> int:
    """Let `row` wait for a slot, and return its id; or that of the row which the same request made before. The
    experiment is locked: nobody deletes it meanwhile.
    """
    assert row.parent_id is not None  # noqa: S101 - how it is made
    async with context.database.transaction() as session:
        await access.lock_job_for(session, user, row.parent_id)

        async def add() -> Added:
            session.add(row)
            await session.flush()
            switch_status(session, row, JobStatus.QUEUED)
            return Added(id=row.id)

        added = await idempotency.once(session, user_id=user.id, body=sent, result_type=Added, create=add)
    context.notifier.job_asked(added.id)
    return added.id


def new_operation(context: OperationContext, user: User, uid: UUID, work: Operation, **columns: Any) -> TrainingJob:
    """The row of a work, not yet queued."""
    now = utc_now()
    fixed = {
        "job_uid": uid,
        "output_uri": job_uri(context.settings.storage_url, uid),
        "created_by_id": user.id,
        "created_at": now,
        "updated_at": now,
        "queued_at": now,
        "request_id": request_id_var.get(),
        "name": work.kind,
        "notes": "",
        "num_devices": 1,
        "kind": work.kind,
        "work": work.model_dump(mode="json"),
        "status": JobStatus.PENDING,
    }
    return TrainingJob(**(columns | fixed))


async def wait(context: OperationContext, operation_id: int, *, seconds: float = WAIT_SECONDS) -> bool:
    """Whether a work has ended, after waiting for that for a bounded time. No session is open while it waits."""
    deadline = time.monotonic() + seconds
    with context.notifier.subscribe(operation_id) as wakeup:
        while True:
            async with context.database.snapshot() as session:
                row = await jobs.get_job(session, operation_id)
            if row is None or row.status in ENDED:
                return True
            if (left := deadline - time.monotonic()) <= 0:
                return False
            await wakeup.wait(min(left, POLL_SECONDS))
