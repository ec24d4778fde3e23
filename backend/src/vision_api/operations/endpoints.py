"""Routes of works: below the experiment that they are about."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response, status

from vision_api.auth.dependencies import CurrentUser
from vision_api.db.session import DatabaseDep, ReadSession
from vision_api.kit.idempotency import IdempotencyKey
from vision_api.kit.schemas import ResourceId
from vision_api.operations import serializers, use_cases
from vision_api.operations.image_form import receive_images
from vision_api.operations.preflight import preflight
from vision_api.operations.schemas import (
    EvaluationCreate,
    ExportCreate,
    PredictForm,
    PreflightCreate,
    PreflightRead,
    WorkRead,
)
from vision_api.operations.use_cases import Workshop
from vision_api.training_jobs.dependencies import SettlerDep, StoreDep, WakeupsDep

router = APIRouter(prefix="/training/jobs", tags=["works"])

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


async def _workshop(request: Request, database: DatabaseDep, store: StoreDep, wakeups: WakeupsDep) -> Workshop:
    state = request.app.state
    return Workshop(database, state.settings, store, state.instance_registry, wakeups)


WorkshopDep = Annotated[Workshop, Depends(_workshop)]


def _locate(request: Request, response: Response, work: WorkRead) -> WorkRead:
    response.headers["Location"] = request.url_for("get_work", job_id=work.job_id, work_id=work.id).path
    return work


@router.post("/preflight", responses={202: {"model": PreflightRead}})
async def preflight_training_job(
    body: PreflightCreate,
    shop: WorkshopDep,
    settler: SettlerDep,
    user: CurrentUser,
    request: Request,
    response: Response,
) -> PreflightRead:
    """Look at an experiment before it is made: the same checks and errors, and what it would need.

    With `dry_run` a few real batches are trained: 200 with what was measured if that is done in time, else 202 with
    its `Location`.
    """
    answer, work_id = await preflight(shop, settler, user=user, request=body)
    if work_id is None:
        return answer
    has_ended = await use_cases.wait(shop, work_id)
    response.status_code = status.HTTP_200_OK if has_ended else ACCEPTED
    response.headers["Location"] = request.url_for("get_preflight", work_id=work_id).path
    work = await serializers.get(shop, user=user, work_id=work_id, job_id=None)
    return answer.model_copy(update={"dry_run": work})


@router.get("/preflight/{work_id}")
async def get_preflight(work_id: ResourceId, shop: WorkshopDep, user: CurrentUser) -> WorkRead:
    """A dry run."""
    return await serializers.get(shop, user=user, work_id=work_id, job_id=None)


@router.post("/{job_id}/predict", responses={202: {"model": WorkRead}}, openapi_extra=_predict_form())
async def predict(
    job_id: ResourceId,
    shop: WorkshopDep,
    user: CurrentUser,
    idempotency: IdempotencyKey,
    request: Request,
    response: Response,
) -> WorkRead:
    """Let an experiment's checkpoint look at images.

    The answer is there within seconds where a slot is free (200, with `predictions`, or with an `error_message` where
    it failed). Otherwise 202: ask again at `Location`. A broken or too large image gets its `error`, the others their
    answer. Answers are kept for a day.
    """
    async with receive_images(request) as images:
        work_id = await use_cases.predict(shop, user=user, job_id=job_id, images=images, idempotency=idempotency)
    has_ended = await use_cases.wait(shop, work_id)
    response.status_code = status.HTTP_200_OK if has_ended else ACCEPTED
    return _locate(request, response, await serializers.get(shop, user=user, work_id=work_id, job_id=job_id))


@router.post("/{job_id}/export", status_code=ACCEPTED)
async def export(
    job_id: ResourceId,
    body: ExportCreate,
    shop: WorkshopDep,
    user: CurrentUser,
    idempotency: IdempotencyKey,
    request: Request,
    response: Response,
) -> WorkRead:
    """Write a checkpoint in a form that other programs read: the artifact `exports/…` of the experiment."""
    work_id = await use_cases.export(shop, user=user, job_id=job_id, request=body, idempotency=idempotency)
    return _locate(request, response, await serializers.get(shop, user=user, work_id=work_id, job_id=job_id))


@router.post("/{job_id}/evaluate", status_code=ACCEPTED)
async def evaluate(
    job_id: ResourceId,
    body: EvaluationCreate,
    shop: WorkshopDep,
    user: CurrentUser,
    idempotency: IdempotencyKey,
    request: Request,
    response: Response,
) -> WorkRead:
    """Measure a checkpoint on a split of a data set with its classes: the report `evaluations/…` of the experiment."""
    work_id = await use_cases.evaluate(shop, user=user, job_id=job_id, request=body, idempotency=idempotency)
    return _locate(request, response, await serializers.get(shop, user=user, work_id=work_id, job_id=job_id))


@router.get("/{job_id}/work")
async def list_works(
    job_id: ResourceId,
    session: ReadSession,
    user: CurrentUser,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
) -> list[WorkRead]:
    """What was done with an experiment, newest first."""
    return await serializers.list_of(session, user=user, job_id=job_id, limit=limit)


@router.get("/{job_id}/work/{work_id}")
async def get_work(job_id: ResourceId, work_id: ResourceId, shop: WorkshopDep, user: CurrentUser) -> WorkRead:
    """One work. Its log and its events are those of a job: `/training/jobs/{work_id}/logs`; stop or delete it there."""
    return await serializers.get(shop, user=user, work_id=work_id, job_id=job_id)
