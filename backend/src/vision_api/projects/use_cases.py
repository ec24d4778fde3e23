"""Use cases of projects."""

import logging

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.datasets.use_cases import delete_project_datasets
from vision_api.errors import NotFound
from vision_api.kit.pagination import Page, PageRequest
from vision_api.model_registry.use_cases import discard_weights_of
from vision_api.models import Project, ProjectMember, ProjectRole, User
from vision_api.projects import repository
from vision_api.projects.access import MISSING, get_project_for
from vision_api.projects.schemas import ProjectCreate, ProjectRead, ProjectUpdate
from vision_api.projects.serializers import read_project

log = logging.getLogger(__name__)


async def page_projects(session: AsyncSession, *, user: User, params: PageRequest) -> Page[ProjectRead]:
    """Return a page of the user's projects, newest first; an administrator sees all."""
    page = await repository.page_projects(session, user=user, params=params)
    return page.map(lambda row: read_project(*row))


async def get_project(session: AsyncSession, *, user: User, project_id: int) -> ProjectRead:
    """Return one project. Raises NotFound."""
    row = await repository.get_project_row(session, user=user, project_id=project_id)
    if row is None:
        raise NotFound(MISSING)
    return read_project(*row)


async def create_project(session: AsyncSession, *, user: User, request: ProjectCreate) -> ProjectRead:
    """Create a project, whose owner the user is."""
    project = Project(**request.model_dump())
    session.add(project)
    await session.flush()
    session.add(ProjectMember(project_id=project.id, user_id=user.id, role=ProjectRole.OWNER))
    await session.flush()
    log.info("user %s created project %s", user.id, project.id)
    return read_project(project, ProjectRole.OWNER)


async def update_project(session: AsyncSession, *, user: User, project_id: int, request: ProjectUpdate) -> ProjectRead:
    """Change what the request names. Raises NotFound, Forbidden for a viewer."""
    project = await get_project_for(session, user, project_id, role="editor")
    for name, value in request.model_dump(exclude_unset=True).items():
        setattr(project, name, value)
    await session.flush()
    return await get_project(session, user=user, project_id=project_id)


async def delete_project(session: AsyncSession, *, user: User, project_id: int) -> None:
    """Delete a project with its data sets and registered models. Its experiments lose their project, and the sweep
    stops them and frees their disk.

    Raises NotFound, Forbidden for all but owners.
    """
    project = await get_project_for(session, user, project_id, role="owner")
    await repository.lock_project(session, project_id)  # no model can be registered meanwhile
    await discard_weights_of(session, project_id=project_id)
    await delete_project_datasets(session, project_id=project_id)
    await session.delete(project)
    log.info("user %s deleted project %s", user.id, project_id)
