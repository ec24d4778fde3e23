"""A project with a storage of its own."""

from functools import partial

import pytest
from support.stored_jobs import StoreJob, store_job

from data_kit import ObjectStore, open_store
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.models import Project, User


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return open_store(settings.storage_url)


@pytest.fixture
def make_stored_job(database: Database, store: ObjectStore, project: Project, owner: User) -> StoreJob:
    return partial(store_job, database, store, project, owner)
