"""Routes of operations, below the experiment that they belong to."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status

from vision_api.auth.dependencies import CurrentUser
from vision_api.dependencies import PlatformDep, ReadSession
from vision_api.disk_space.dependencies import RoomNeeded
from vision_api.kit.idempotency import IdempotencyKey
from vision_api.kit.multipart import incoming_folder
from vision_api.kit.schemas import ResourceId
from vision_api.models import User
from vision_api.operations import use_cases, workflows
from vision_api.operations.image_form import receive_images
from vision_api.operations.schemas import (
    EvaluationCreate,
    ExportCreate,
    OperationRead,
    PredictForm,
    PreflightCreate,
    PreflightRead,
)
from vision_api.platform import Platform

router = APIRouter(prefix="/training/jobs", tags=["operations"])

ACCEPTED = status.HTTP_202_ACCEPTED


def _predict_form() -> dict[str, Any]:
    image = {"type": "string", "format": "binary"}
    images = {"type": "array", "items": image, "description": "One or many, 64 at most."}
    schema = {
        "type": "object",
        "required": ["images"],
        "properties": {"images": images, **PredictForm.model_json_schema()["properties"]},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


async def _read_operation(platform: Platform, user: User, operation_id: int, job_id: int | None) -> OperationRead:
    return await workflows.get_operation(
        platform.database, store=platform.store, user=user, operation_id=operation_id, job_id=job_id
    )


async def _has_ended(platform: Platform, operation_id: int) -> bool:
    return await workflows.wait(platform.database, notifier=platform.notifier, operation_id=operation_id)


def _locate(request: Request, response: Response, operation: OperationRead) -> OperationRead:
    response.headers["Location"] = request.url_for(
        "get_operation", job_id=operation.job_id, operation_id=operation.id
    ).path
    return operation


@router.post("/preflight", responses={202: {"model": PreflightRead}})
async def preflight_training_job(
    body: PreflightCreate,
    platform: PlatformDep,
    user: CurrentUser,
    request: Request,
    response: Response,
) -> PreflightRead:
    """Check an experiment before it is created: the same checks and errors, and estimates of what it would need.

    With `dry_run` a few real batches are trained: 200 with the measured values if it ends in time, else 202 with its
    `Location`.
    """
    result, operation_id = await workflows.preflight(
        platform.database,
        settings=platform.settings,
        catalog=platform.catalog,
        registry=platform.registry,
        user=user,
        request=body,
    )
    if operation_id is None:
        return result
    has_ended = await _has_ended(platform, operation_id)
    response.status_code = status.HTTP_200_OK if has_ended else ACCEPTED
    response.headers["Location"] = request.url_for("get_preflight", operation_id=operation_id).path
    operation = await _read_operation(platform, user, operation_id, None)
    return result.model_copy(update={"dry_run": operation})


@router.get("/preflight/{operation_id}")
async def get_preflight(operation_id: ResourceId, platform: PlatformDep, user: CurrentUser) -> OperationRead:
    """Get a dry run."""
    return await _read_operation(platform, user, operation_id, None)


@router.post(
    "/{job_id}/predict",
    responses={202: {"model": OperationRead}},
    openapi_extra=_predict_form(),
    dependencies=[RoomNeeded],
)
async def predict(
    job_id: ResourceId,
    platform: PlatformDep,
    user: CurrentUser,
    idempotency: IdempotencyKey,
    request: Request,
    response: Response,
) -> OperationRead:
    """Predict images with a checkpoint of an experiment.

    The result is returned within seconds if a slot is free (200, with `predictions`, or with an `error_message` if the
    prediction failed). Otherwise 202: poll `Location`. A broken or too large image gets an `error`, the others their
    predictions. Results are kept for a day.
    """
    async with receive_images(request, incoming_folder(platform.settings)) as images:
        operation_id = await workflows.predict(
            platform.database,
            settings=platform.settings,
            store=platform.store,
            registry=platform.registry,
            user=user,
            job_id=job_id,
            images=images,
            idempotency=idempotency,
        )
    has_ended = await _has_ended(platform, operation_id)
    response.status_code = status.HTTP_200_OK if has_ended else ACCEPTED
    return _locate(request, response, await _read_operation(platform, user, operation_id, job_id))


@router.post("/{job_id}/export", status_code=ACCEPTED, dependencies=[RoomNeeded])
async def export(
    job_id: ResourceId,
    body: ExportCreate,
    platform: PlatformDep,
    user: CurrentUser,
    idempotency: IdempotencyKey,
    request: Request,
    response: Response,
) -> OperationRead:
    """Export a checkpoint to a format that other programs read: the artifact `exports/…` of the experiment."""
    operation_id = await workflows.export(
        platform.database,
        settings=platform.settings,
        registry=platform.registry,
        user=user,
        job_id=job_id,
        request=body,
        idempotency=idempotency,
    )
    return _locate(request, response, await _read_operation(platform, user, operation_id, job_id))


@router.post("/{job_id}/evaluate", status_code=ACCEPTED, dependencies=[RoomNeeded])
async def evaluate(
    job_id: ResourceId,
    body: EvaluationCreate,
    platform: PlatformDep,
    user: CurrentUser,
    idempotency: IdempotencyKey,
    request: Request,
    response: Response,
) -> OperationRead:
    """Evaluate a checkpoint on a split of a data set with its classes: the report `evaluations/…` of the experiment."""
    operation_id = await workflows.evaluate(
        platform.database,
        settings=platform.settings,
        registry=platform.registry,
        user=user,
        job_id=job_id,
        request=body,
        idempotency=idempotency,
    )
    return _locate(request, response, await _read_operation(platform, user, operation_id, job_id))


Limit = Annotated[int, Query(ge=1, le=200, description="The largest number of operations.")]


@router.get("/{job_id}/operations")
async def list_operations(
    job_id: ResourceId, session: ReadSession, user: CurrentUser, limit: Limit = 50
) -> list[OperationRead]:
    """List the operations on an experiment, newest first."""
    return await use_cases.list_operations(session, user=user, job_id=job_id, limit=limit)


@router.get("/{job_id}/operations/{operation_id}")
async def get_operation(
    job_id: ResourceId, operation_id: ResourceId, platform: PlatformDep, user: CurrentUser
) -> OperationRead:
    """Get one operation.

    Its log and its events are those of a job, `/training/jobs/{operation_id}/logs`; stop or delete it there.
    """
    return await _read_operation(platform, user, operation_id, job_id)


@router.get("/{job_id}/work", deprecated=True)
async def list_work(
    job_id: ResourceId, session: ReadSession, user: CurrentUser, limit: Limit = 50
) -> list[OperationRead]:
    """List the operations on an experiment: the former address of `/operations`, kept for one release."""
    return await list_operations(job_id, session, user, limit)


@router.get("/{job_id}/work/{work_id}", deprecated=True)
async def get_work(job_id: ResourceId, work_id: ResourceId, platform: PlatformDep, user: CurrentUser) -> OperationRead:
    """Get one operation: the former address of `/operations/{operation_id}`, kept for one release."""
    return await get_operation(job_id, work_id, platform, user)
