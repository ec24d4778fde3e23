"""Rows of training jobs for tests."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.kit.clock import utc_now
from vision_api.models import TrainingJob

MakeJob = Callable[..., Awaitable[TrainingJob]]
Becomes = Callable[..., Awaitable[TrainingJob]]


def job_fields(**fields: Any) -> dict[str, Any]:
    """The columns of a job of the framework `small`, with `fields` in place of the defaults."""
    uid = uuid4()
    defaults: dict[str, Any] = {
        "job_uid": uid,
        "created_at": utc_now(),
        "updated_at": utc_now(),
        "name": "tiny",
        "notes": "",
        "framework": "small",
        "model_name": "tiny",
        "task_type": "image_classification",
        "dataset_path": "/data/digits",
        "dataset_uri": "file:///data/digits",
        "dataset_format": "auto",
        "output_uri": f"file:///nowhere/jobs/{uid}",
        "epochs": 2,
        "batch_size": 4,
        "learning_rate": 0.01,
        "optimizer": "sgd",
        "initial_weights": "scratch",
        "device": "cpu",
        "num_devices": 1,
        "seed": 0,
        "priority": 0,
        "hyperparameters": {},
        "status": "pending",
        "queued_at": utc_now(),
    }
    return defaults | fields


async def reload(session: AsyncSession, job: TrainingJob) -> TrainingJob:
    """The job as it is stored now."""
    statement = select(TrainingJob).where(TrainingJob.id == job.id)
    return (await session.scalars(statement.execution_options(populate_existing=True))).one()
