"""Routes of training jobs: `/training/jobs`, and the lists and streams of a project's experiments."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from sqlalchemy import Select

from vision_api.auth.dependencies import CurrentUser
from vision_api.dependencies import PlatformDep, ReadSession, WriteSession
from vision_api.disk_space.dependencies import RoomNeeded
from vision_api.kit.idempotency import IdempotencyKey
from vision_api.kit.pagination import PageParams, set_page_headers
from vision_api.kit.schemas import ResourceId
from vision_api.models import JobStatus, TrainingJob
from vision_api.projects.access import get_project_for
from vision_api.training_jobs import repository, use_cases, workflows
from vision_api.training_jobs.schemas import (
    Extend,
    Fork,
    TrainingJobCreate,
    TrainingJobRead,
    TrainingJobUpdate,
    WithChanges,
)
from vision_contracts import TaskType

router = APIRouter(tags=["training jobs"])

Framework = Annotated[str | None, Query(max_length=64, description="Such as `timm`.")]
Status = Annotated[JobStatus | None, Query(description="Only those in this status.")]
Task = Annotated[TaskType | None, Query(description="Only those of one task.")]
Text = Annotated[str | None, Query(max_length=200, description="In name, model and notes.")]
ACCEPTED = status.HTTP_202_ACCEPTED
CREATED = status.HTTP_201_CREATED


def _locate(request: Request, response: Response, job: TrainingJobRead) -> TrainingJobRead:
    response.headers["Location"] = request.url_for("get_training_job", job_id=job.id).path
    return job


@router.post("/training/jobs", status_code=CREATED)
async def create_training_job(
    body: TrainingJobCreate,
    platform: PlatformDep,
    user: CurrentUser,
    idempotency: IdempotencyKey,
    request: Request,
    response: Response,
) -> TrainingJobRead:
    """Create an experiment, `pending`. Everything is checked now; nothing runs before it is started.

    Omitted values of `epochs`, `batch_size`, `learning_rate` and `optimizer` come from the model's card.
    """
    job = await workflows.create(
        platform.database,
        settings=platform.settings,
        catalog=platform.catalog,
        user=user,
        request=body,
        idempotency=idempotency,
    )
    return _locate(request, response, job)


@router.get("/training/jobs")
async def list_training_jobs(
    session: ReadSession,
    user: CurrentUser,
    params: PageParams,
    request: Request,
    response: Response,
    project_id: Annotated[ResourceId | None, Query(description="Only those of one project.")] = None,
    status: Status = None,
    framework: Framework = None,
    task_type: Task = None,
    q: Text = None,
) -> list[TrainingJobRead]:
    """List the experiments of all your projects, newest first."""
    if project_id is not None:
        await get_project_for(session, user, project_id)
    query = repository.visible_jobs(
        user, project_id=project_id, status=status, framework=framework, task_type=task_type, q=q
    )
    return await _page(session, query, params, request, response)


@router.get("/projects/{project_id}/experiments")
async def list_project_experiments(
    project_id: ResourceId,
    session: ReadSession,
    user: CurrentUser,
    params: PageParams,
    request: Request,
    response: Response,
    status: Status = None,
    framework: Framework = None,
    task_type: Task = None,
    q: Text = None,
) -> list[TrainingJobRead]:
    """List the experiments of a project, newest first."""
    await get_project_for(session, user, project_id)
    query = repository.visible_jobs(
        user, project_id=project_id, status=status, framework=framework, task_type=task_type, q=q
    )
    return await _page(session, query, params, request, response)


async def _page(
    session: ReadSession, query: Select[TrainingJob], params: PageParams, request: Request, response: Response
) -> list[TrainingJobRead]:
    page = await use_cases.page(session, query=query, params=params)
    set_page_headers(request, response, page)
    return list(page.items)


@router.get("/training/jobs/{job_id}")
async def get_training_job(job_id: ResourceId, session: ReadSession, user: CurrentUser) -> TrainingJobRead:
    """Get an experiment."""
    return await use_cases.get(session, user=user, job_id=job_id)


@router.patch("/training/jobs/{job_id}")
async def update_training_job(
    job_id: ResourceId, body: TrainingJobUpdate, platform: PlatformDep, user: CurrentUser
) -> TrainingJobRead:
    """Change an experiment: any setting while it is `pending`, later only `name`, `notes` and `priority`."""
    return await workflows.update(
        platform.database, settings=platform.settings, catalog=platform.catalog, user=user, job_id=job_id, changes=body
    )


@router.delete("/training/jobs/{job_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_training_job(job_id: ResourceId, session: WriteSession, user: CurrentUser) -> None:
    """Delete an experiment. It disappears at once; it is stopped and its files are freed in the background."""
    await use_cases.delete(session, user=user, job_id=job_id)


@router.delete("/training/jobs/{job_id}/training-state", status_code=status.HTTP_204_NO_CONTENT)
async def trim_training_state(job_id: ResourceId, session: WriteSession, user: CurrentUser) -> None:
    """Trim an ended experiment to its weights: predictions, exports, evaluations, forks and retries work as before.

    To resume or extend it begins with a new optimizer. The space is freed in the background.
    """
    await use_cases.trim_training_state(session, user=user, job_id=job_id)


@router.post("/training/jobs/{job_id}/start", status_code=ACCEPTED, dependencies=[RoomNeeded])
async def start_training_job(job_id: ResourceId, session: WriteSession, user: CurrentUser) -> TrainingJobRead:
    """Start a pending experiment. It is queued, and waits if its training service is busy or down."""
    return await use_cases.start(session, user=user, job_id=job_id)


@router.post("/training/jobs/{job_id}/stop", status_code=ACCEPTED)
async def stop_training_job(job_id: ResourceId, session: WriteSession, user: CurrentUser) -> TrainingJobRead:
    """Stop an experiment. One that trains saves a checkpoint first; it has ended once it is `cancelled`."""
    return await use_cases.stop(session, user=user, job_id=job_id)


@router.post("/training/jobs/{job_id}/pause", status_code=ACCEPTED)
async def pause_training_job(job_id: ResourceId, session: WriteSession, user: CurrentUser) -> TrainingJobRead:
    """Pause an experiment: it saves a checkpoint and gives its slot back."""
    return await use_cases.pause(session, user=user, job_id=job_id)


@router.post("/training/jobs/{job_id}/resume", status_code=ACCEPTED, dependencies=[RoomNeeded])
async def resume_training_job(job_id: ResourceId, session: WriteSession, user: CurrentUser) -> TrainingJobRead:
    """Resume from the newest checkpoint: a paused experiment, or one that failed or was stopped and has one."""
    return await use_cases.resume(session, user=user, job_id=job_id)


@router.post("/training/jobs/{job_id}/retry", status_code=ACCEPTED, dependencies=[RoomNeeded])
async def retry_training_job(
    job_id: ResourceId,
    platform: PlatformDep,
    user: CurrentUser,
    body: WithChanges | None = None,
) -> TrainingJobRead:
    """Train an ended experiment again from the beginning, optionally with other settings."""
    changes = body.changes if body else None
    return await workflows.retry(
        platform.database,
        settings=platform.settings,
        catalog=platform.catalog,
        user=user,
        job_id=job_id,
        changes=changes,
    )


@router.post("/training/jobs/{job_id}/extend", status_code=ACCEPTED, dependencies=[RoomNeeded])
async def extend_training_job(
    job_id: ResourceId, body: Extend, session: WriteSession, user: CurrentUser
) -> TrainingJobRead:
    """Extend an ended experiment: continue from its newest checkpoint, up to a new total of `epochs`."""
    return await use_cases.extend(session, user=user, job_id=job_id, epochs=body.epochs)


@router.post("/training/jobs/{job_id}/clone", status_code=CREATED)
async def clone_training_job(
    job_id: ResourceId,
    platform: PlatformDep,
    user: CurrentUser,
    idempotency: IdempotencyKey,
    request: Request,
    response: Response,
    body: WithChanges | None = None,
) -> TrainingJobRead:
    """Create an experiment with the settings of this one."""
    job = await workflows.clone(
        platform.database,
        settings=platform.settings,
        catalog=platform.catalog,
        user=user,
        job_id=job_id,
        changes=body.changes if body else None,
        idempotency=idempotency,
    )
    return _locate(request, response, job)


@router.post("/training/jobs/{job_id}/fork", status_code=CREATED)
async def fork_training_job(
    job_id: ResourceId,
    body: Fork,
    platform: PlatformDep,
    user: CurrentUser,
    idempotency: IdempotencyKey,
    request: Request,
    response: Response,
) -> TrainingJobRead:
    """Create an experiment that starts from the weights of a checkpoint of this one."""
    job = await workflows.fork(
        platform.database,
        settings=platform.settings,
        catalog=platform.catalog,
        user=user,
        job_id=job_id,
        artifact=body.artifact,
        changes=body.changes,
        idempotency=idempotency,
    )
    return _locate(request, response, job)
