"""A project with a storage of its own, and trained jobs in it."""

from functools import partial

import httpx
import pytest
from fastapi import FastAPI
from support import AuthHeaders, MakeUser
from trained_jobs import TrainJob, train

from vision_api.db.session import Database
from vision_api.models import Project, ProjectMember, ProjectRole, User


@pytest.fixture
async def owner(make_user: MakeUser) -> User:
    return await make_user("owner@example.com")


@pytest.fixture
async def project(database: Database, owner: User) -> Project:
    project = Project(name="Digits")
    async with database.transaction() as session:
        session.add(project)
        await session.flush()
        session.add(ProjectMember(project_id=project.id, user_id=owner.id, role=ProjectRole.OWNER))
    return project


@pytest.fixture
def train_job(database: Database, app: FastAPI, project: Project, owner: User) -> TrainJob:
    """`await train_job(accuracies=[0.5, 0.75], report=…)`: completed, with files and curves."""
    return partial(train, database, app.state.store, project, owner)


@pytest.fixture
async def api(client: httpx.AsyncClient, owner: User, auth_headers: AuthHeaders) -> httpx.AsyncClient:
    client.headers.update(await auth_headers(owner))
    return client
