"""A project with a storage of its own."""

from functools import partial

import pytest
from stored_jobs import StoreJob, store_job
from support import PASSWORD_HASH

from data_kit import ObjectStore, open_store
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.models import Project, ProjectMember, ProjectRole, User


@pytest.fixture
async def owner(database: Database) -> User:
    user = User(email="owner@example.com", password_hash=PASSWORD_HASH)
    async with database.transaction() as session:
        session.add(user)
    return user


@pytest.fixture
async def project(database: Database, owner: User) -> Project:
    project = Project(name="Digits")
    async with database.transaction() as session:
        session.add(project)
        await session.flush()
        session.add(ProjectMember(project_id=project.id, user_id=owner.id, role=ProjectRole.OWNER))
    return project


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return open_store(settings.storage_url)


@pytest.fixture
def make_stored_job(database: Database, store: ObjectStore, project: Project, owner: User) -> StoreJob:
    return partial(store_job, database, store, project, owner)
