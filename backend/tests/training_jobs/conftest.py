"""Projects, members, a catalogue, a data set and jobs of training_jobs' tests."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.job_rows import MakeJob, job_fields

from vision_api.auth.dependencies import StreamAccess
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import AuthSession, Project, TrainingJob, User


@pytest.fixture
async def viewer(database: Database, owner: User) -> StreamAccess:
    """The owner, signed in."""
    login = AuthSession(user_id=owner.id, expires_at=utc_now() + timedelta(days=1))
    async with database.transaction() as session:
        session.add(login)
    return StreamAccess(database, owner, login.id)


@pytest.fixture
def make_job(database: Database, project: Project, owner: User) -> MakeJob:
    """`await make_job(status="running", attempt=1)`: a row, without the checks of a request."""

    async def make(**fields: Any) -> TrainingJob:
        defaults = {"project_id": project.id, "created_by_id": owner.id}
        job = TrainingJob(**job_fields(**(defaults | fields)))
        async with database.transaction() as session:
            session.add(job)
        return job

    return make


@pytest.fixture
def digits(settings: Settings) -> Path:
    """A small ImageFolder below the allowed roots."""
    root = settings.dataset_roots[0] / "digits"
    for split, count in (("train", 3), ("val", 1)):
        for name in ("one", "two"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (8, 8), (index, 0, 0)).save(folder / f"{index}.png")
    return root


@pytest.fixture
def wanted(project: Project, digits: Path) -> dict[str, Any]:
    """The body of a request for an experiment."""
    return {
        "project_id": project.id, "framework": "small", "model_name": "tiny",
        "task_type": "image_classification", "dataset_path": str(digits),
    }  # fmt: skip
