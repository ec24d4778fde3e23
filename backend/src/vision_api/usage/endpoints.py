"""Routes of usage."""

from typing import Annotated

from fastapi import APIRouter, Query

from vision_api.auth.dependencies import CurrentUser
from vision_api.db.session import DatabaseDep, ReadSession
from vision_api.kit.schemas import ResourceId
from vision_api.training_jobs.dependencies import StoreDep
from vision_api.usage import use_cases
from vision_api.usage.schemas import JobUsage, ProjectUsage

router = APIRouter(tags=["usage"])


@router.get("/projects/{project_id}/usage")
async def get_project_usage(
    project_id: ResourceId,
    session: ReadSession,
    user: CurrentUser,
    limit: Annotated[int, Query(ge=1, le=200, description="How many experiments at most.")] = 50,
) -> ProjectUsage:
    """How much room a project takes, and which of its experiments take most."""
    return await use_cases.project_usage(session, user=user, project_id=project_id, limit=limit)


@router.get("/training/jobs/{job_id}/usage")
async def get_job_usage(job_id: ResourceId, database: DatabaseDep, store: StoreDep, user: CurrentUser) -> JobUsage:
    """How much room an experiment takes, as the storage lists it: also files that are about to be deleted."""
    return await use_cases.job_usage(database, store, user=user, job_id=job_id)
