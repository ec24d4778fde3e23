"""A backend's loops with a real training service."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.fake_service import TOKEN, FakeService
from support.job_rows import Becomes, MakeJob, reload

from data_kit import open_store
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.models import TrainingJob
from vision_api.storage_layout import job_uri
from vision_api.training_jobs.loops import reconcile, sweep
from vision_api.training_jobs.loops.event_collector import LossTimeouts
from vision_api.training_jobs.loops.lifespan import running_loops
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_services import running_registry

Backend = Callable[..., AbstractAsyncContextManager[Notifier]]

STEPS_PER_EPOCH = 4
QUICK = LossTimeouts(silence_seconds=3.0, first_contact_seconds=5.0)


@pytest.fixture
def storage_url(tmp_path: Path) -> str:
    return (tmp_path / "storage").as_uri()


@pytest.fixture
async def service(tmp_path: Path, storage_url: str, colors: Path) -> AsyncIterator[FakeService]:
    """A running training service with one slot."""
    service = FakeService(tmp_path / "service", storage_url, colors.parent)
    await service.start()
    yield service
    await service.end(signal.SIGTERM)


@pytest.fixture
def backend(settings: Settings, database: Database, storage_url: str, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """`async with backend(service):` runs everything of a backend but HTTP; more than one at a time may run."""
    monkeypatch.setattr(sweep, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(sweep, "SEEN_AS_DELETED", timedelta(0))
    monkeypatch.setattr(reconcile, "POLL_SECONDS", 0.5)

    @asynccontextmanager
    async def run(
        *services: FakeService, local: bool = False, loss_timeouts: LossTimeouts = QUICK, **fields: Any
    ) -> AsyncGenerator[Notifier]:
        urls = {"fake": tuple(service.url for service in services)}
        own = settings.model_copy(
            update={"service_urls": urls, "service_token": _Secret(TOKEN), "stop_grace_seconds": 5.0, **fields}
        )
        notifier = Notifier()
        async with AsyncExitStack() as parts:
            registry = await parts.enter_async_context(running_registry(own))
            mode = "subprocess" if local else "http"
            await parts.enter_async_context(
                running_loops(
                    database=database,
                    registry=registry,
                    notifier=notifier,
                    store=open_store(storage_url),
                    settings=own.model_copy(update={"training_execution_mode": mode}),
                    loss_timeouts=loss_timeouts,
                )
            )
            yield notifier

    return run


class _Secret:
    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        return self._value


@pytest.fixture
def make_fake_job(make_job: MakeJob, colors: Path, storage_url: str) -> MakeJob:
    """A job that the service can train, as a user's request would have made it; queued at once."""

    async def make(**fields: Any) -> TrainingJob:
        defaults: dict[str, Any] = {
            "framework": "fake",
            "model_name": "linear",
            "dataset_uri": colors.as_uri(),
            "batch_size": 2,
            "learning_rate": 0.5,
            "status": "queued",
        }
        uid = uuid4()
        return await make_job(**(defaults | {"job_uid": uid, "output_uri": job_uri(storage_url, uid)} | fields))

    return make


@pytest.fixture
def becomes(database: Database) -> Becomes:
    """`await becomes(job, "running")`, or any condition on the row."""

    async def wait(
        job: TrainingJob, wanted: str | Callable[[TrainingJob], bool], *, within_seconds: float = 60.0
    ) -> TrainingJob:
        deadline = time.monotonic() + within_seconds
        while True:
            async with database.snapshot() as session:
                row = await reload(session, job)
            if row.status == wanted if isinstance(wanted, str) else wanted(row):
                return row
            state = f"{row.status}, {row.status_reason}, {row.status_message}, step {row.progress_step}"
            assert time.monotonic() < deadline, f"not {wanted}, but {state}"
            await asyncio.sleep(0.1)

    return wait
