"""Works as their askers see them."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore, StorageError
from vision_api.errors import NotFound
from vision_api.models import TrainingJob, User
from vision_api.operations import repository
from vision_api.operations.schemas import OperationArtifact, OperationRead, PredictedImage
from vision_api.operations.use_cases import OperationContext
from vision_api.training_jobs import access
from vision_api.training_jobs import repository as jobs
from vision_api.training_jobs.serializers import read_progress
from vision_contracts import JobKind, PredictionReport

REPORT = "predictions.json"
MISSING = "This experiment has no such work (any more)."


async def get(context: OperationContext, *, user: User, operation_id: int, job_id: int | None) -> OperationRead:
    """A work with its answer, if it has one. Raises NotFound."""
    async with context.database.snapshot() as session:
        if job_id is not None:
            await access.get_job_for(session, user, job_id)
        row = await repository.get_operation(session, operation_id, parent_id=job_id)
        if row is None:
            raise NotFound(MISSING)
        await access.get_job_for(session, user, row.id)
        [read] = await _read(session, [row])
        report = await jobs.find_artifact(session, row.id, REPORT) if row.kind == JobKind.PREDICT else None
    if report is None:
        return read
    predictions = await asyncio.to_thread(_predictions, context.store, report.uri, row.id)
    return read.model_copy(update={"predictions": predictions})


async def list_of(session: AsyncSession, *, user: User, job_id: int, limit: int) -> list[OperationRead]:
    """What was done with an experiment, newest first, without predictions."""
    await access.get_job_for(session, user, job_id)
    return await _read(session, await repository.list_operations(session, job_id, limit=limit))


async def _read(session: AsyncSession, rows: Sequence[TrainingJob]) -> list[OperationRead]:
    work_ids = [row.id for row in rows]
    positions = await jobs.queue_positions(session, rows)
    values = await repository.list_last_values(session, work_ids)
    made = await repository.list_made(session, work_ids)
    return [
        OperationRead(
            id=row.id,
            job_id=row.parent_id,
            kind=JobKind(row.kind),
            status=row.status,
            status_reason=row.status_reason,
            status_message=row.status_message,
            error_message=row.error_message,
            queue_position=positions.get(row.id),
            progress=read_progress(row),
            settings=_settings(row),
            values=values[row.id],
            artifacts=[
                OperationArtifact(
                    name=each.name, kind=each.kind, size_bytes=each.size_bytes, url=_url(each.job_id, each.name)
                )
                for each in made[row.id]
            ],
            created_at=row.created_at,
            started_at=row.started_at,
            completed_at=row.completed_at,
        )
        for row in rows
    ]


def _settings(row: TrainingJob) -> dict[str, Any]:
    """What was asked for, without places in storage."""
    told = {name: value for name, value in (row.work or {}).items() if name not in ("kind", "metrics", "name")}
    if "images" in told:
        told["images"] = [image["name"] for image in told["images"]]
    weights = row.initial_weights
    return told | ({"artifact": weights["artifact"]} if isinstance(weights, dict) else {})


def _predictions(store: ObjectStore, uri: str, operation_id: int) -> list[PredictedImage] | None:
    try:
        report = PredictionReport.model_validate_json(store.read_bytes(uri))
    except StorageError:
        return None
    return [
        PredictedImage(
            **image.model_dump(), drawing_url=_url(operation_id, image.drawing) if image.drawing is not None else None
        )
        for image in report.images
    ]


def _url(job_id: int, name: str) -> str:
    return f"/api/v1/training/jobs/{job_id}/artifacts/{name}"
