"""Jobs to count."""

from typing import Any

import pytest
from support.common import MakeUser
from support.job_rows import MakeJob, job_fields

from vision_api.db.session import Database
from vision_api.models import TrainingJob


@pytest.fixture
async def make_job(database: Database, make_user: MakeUser) -> MakeJob:
    """A row that belongs to no project."""
    owner = await make_user()

    async def make(**fields: Any) -> TrainingJob:
        job = TrainingJob(**job_fields(created_by_id=owner.id, **fields))
        async with database.transaction() as session:
            session.add(job)
        return job

    return make
