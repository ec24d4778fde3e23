"""Downloads while the object store takes its time."""

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from support.trained_jobs import WEIGHTS, TrainJob
from support.waiting import until

from data_kit import ObjectStore
from vision_api.config import Settings
from vision_api.models import Project
from vision_api.platform import platform_of


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """One connection for everybody."""
    return settings.model_copy(
        update={"database_pool_size": 1, "database_max_overflow": 0, "database_pool_timeout_seconds": 0.3}
    )


class SlowStore:
    """Reads once it may."""

    def __init__(self, store: ObjectStore) -> None:
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self._read = store.read

    def read(self, uri: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        self.is_asked.set()
        assert self.may_answer.wait(timeout=10)
        return self._read(uri, start, length)


@pytest.mark.parametrize("what", ["artifact", "model version"])
async def test_a_download_from_a_slow_store_holds_no_connection(
    api: httpx.AsyncClient,
    app: FastAPI,
    project: Project,
    train_job: TrainJob,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = await train_job()
    models = f"/api/v1/projects/{project.id}/models"
    (await api.post(models, json={"name": "reader", "job_id": job.id})).raise_for_status()
    path = {
        "artifact": f"/api/v1/training/jobs/{job.id}/artifacts/checkpoints/best",
        "model version": f"{models}/reader/versions/1/download",
    }[what]
    slow = SlowStore(platform_of(app).store)
    monkeypatch.setattr(platform_of(app).store, "read", slow.read)

    download = asyncio.create_task(api.get(path))
    try:
        await until(slow.is_asked.is_set)
        other = await api.get("/api/v1/projects")
    finally:
        slow.may_answer.set()

    assert other.status_code == 200, other.text
    assert (await download).content == WEIGHTS
