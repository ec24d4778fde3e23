"""Routes of usage."""

from typing import Annotated

from fastapi import APIRouter, Query

from vision_api.auth.dependencies import CurrentUser
from vision_api.dependencies import DatabaseDep, ReadSession, StoreDep
from vision_api.kit.schemas import ResourceId
from vision_api.usage import use_cases, workflows
from vision_api.usage.schemas import JobUsage, ProjectUsage

router = APIRouter(tags=["usage"])


@router.get("/projects/{project_id}/usage")
async def get_project_usage(
    project_id: ResourceId,
    session: ReadSession,
    user: CurrentUser,
    limit: Annotated[int, Query(ge=1, le=200, description="The largest number of experiments.")] = 50,
) -> ProjectUsage:
    """Get the storage usage of a project and of its largest experiments."""
    return await use_cases.project_usage(session, user=user, project_id=project_id, limit=limit)


@router.get("/training/jobs/{job_id}/usage")
async def get_job_usage(job_id: ResourceId, database: DatabaseDep, store: StoreDep, user: CurrentUser) -> JobUsage:
    """Get the storage usage of an experiment, as the storage lists it: with files that are about to be deleted."""
    return await workflows.job_usage(database, store=store, user=user, job_id=job_id)
