"""Routes on a disk that is full up to its reserve: what takes room is refused, and the rest works."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.common import PASSWORD, problem_of
from support.small_disks import fill, free_bytes, needs_root
from support.trained_jobs import TrainJob
from support.tus_client import BYTES, TUS, metadata

from vision_api.models import Project, User

pytestmark = [needs_root, pytest.mark.one_database]

API = "/api/v1"
MEBIBYTE = 1024**2
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


class Body:
    """A body that counts the pieces that were read of it."""

    def __init__(self, piece: bytes = b"x" * 65536, pieces: int = 64) -> None:
        self.piece, self.pieces, self.read = piece, pieces, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.pieces):
            self.read += 1
            yield self.piece


@pytest.fixture
async def full_api(api: httpx.AsyncClient, small: Path) -> httpx.AsyncClient:
    """A signed-in client of a backend with 2 MiB left, less than its reserve of 3.2."""
    fill(small, leaving=2 * MEBIBYTE)
    return api


async def test_upload_is_refused_before_a_byte_of_it_is_read(full_api: httpx.AsyncClient) -> None:
    body = Body()
    answer = await full_api.post(f"{API}/datasets", content=body, headers=FORM)

    problem = problem_of(answer, 507, "storage_full")
    assert "almost full: 2 MiB are free, and 3 MiB are kept" in problem["detail"]
    assert body.read == 0


async def test_upload_that_announces_more_than_there_is_room_for_is_refused(api: httpx.AsyncClient) -> None:
    body = Body()
    answer = await api.post(f"{API}/datasets", content=body, headers=FORM | {"Content-Length": str(100 * MEBIBYTE)})

    assert "This needs 100 MiB" in problem_of(answer, 507, "storage_full")["detail"]
    assert body.read == 0


async def test_upload_of_unknown_size_ends_at_the_reserve(api: httpx.AsyncClient, small: Path) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'

    async def body() -> AsyncIterator[bytes]:
        yield head
        for _ in range(100):
            yield b"x" * MEBIBYTE

    answer = await api.post(f"{API}/datasets", content=body(), headers=FORM)

    problem_of(answer, 507, "storage_full")
    assert list((small / "uploads").iterdir()) == []


async def test_resumable_upload_is_neither_begun_nor_continued(api: httpx.AsyncClient, small: Path) -> None:
    asked = TUS | {"Upload-Metadata": metadata(name="coins", filename="a.zip")}
    too_large = await api.post(f"{API}/uploads", headers=asked | {"Upload-Length": str(100 * MEBIBYTE)})
    problem_of(too_large, 507, "storage_full")
    begun = await api.post(f"{API}/uploads", headers=asked | {"Upload-Length": str(4 * MEBIBYTE)})
    fill(small, leaving=2 * MEBIBYTE)
    body = Body()

    part = await api.patch(begun.headers["Location"], content=body, headers=TUS | BYTES | {"Upload-Offset": "0"})

    problem_of(part, 507, "storage_full")
    assert part.headers["Tus-Resumable"] == "1.0.0"
    assert body.read == 0
    offset = await api.head(begun.headers["Location"], headers=TUS)
    assert offset.headers["Upload-Offset"] == "0"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/datasets/import", {"uri": "file:///datasets/coins", "name": "coins"}),
        ("/training/jobs/{job_id}/start", None),
        ("/training/jobs/{job_id}/resume", None),
        ("/training/jobs/{job_id}/retry", None),
        ("/training/jobs/{job_id}/extend", {"epochs": 9}),
        ("/training/jobs/{job_id}/predict", None),
        ("/training/jobs/{job_id}/export", {"format": "onnx"}),
        ("/training/jobs/{job_id}/evaluate", {"split": "val"}),
    ],
)
async def test_what_takes_room_is_refused(
    full_api: httpx.AsyncClient, train_job: TrainJob, path: str, body: Any
) -> None:
    job = await train_job()

    answer = await full_api.post(f"{API}{path.format(job_id=job.id)}", json=body)

    problem_of(answer, 507, "storage_full")


async def test_request_without_a_token_is_refused_for_that_alone(client: httpx.AsyncClient, small: Path) -> None:
    fill(small, leaving=2 * MEBIBYTE)

    problem_of(await client.post(f"{API}/datasets", content=Body(), headers=FORM), 401, "token_invalid")


async def test_signing_in_reading_stopping_and_deleting_go_on(
    full_api: httpx.AsyncClient, owner: User, project: Project, train_job: TrainJob
) -> None:
    job = await train_job()
    waiting = await train_job(status="queued", completed_at=None)

    signed_in = await full_api.post(f"{API}/auth/login", json={"email": owner.email, "password": PASSWORD})
    read = await full_api.get(f"{API}/training/jobs/{job.id}")
    stopped = await full_api.post(f"{API}/training/jobs/{waiting.id}/stop")
    deleted = await full_api.delete(f"{API}/training/jobs/{job.id}")

    assert [answer.status_code for answer in (signed_in, read, stopped, deleted)] == [200, 200, 202, 204]


async def test_readiness_and_metrics_tell_it_before(client: httpx.AsyncClient, small: Path) -> None:
    assert (await client.get("/ready")).json()["disks"]["data"]["status"] == "ok"
    fill(small, leaving=5 * MEBIBYTE)
    low = (await client.get("/ready")).json()
    fill(small, leaving=2 * MEBIBYTE)
    full = (await client.get("/ready")).json()
    metrics = (await client.get("/metrics")).text

    assert [found["status"] for found in (low, full)] == ["degraded", "degraded"]
    assert [found["disks"]["data"]["status"] for found in (low, full)] == ["low", "full"]
    assert full["disks"]["data"] == {
        "status": "full", "free_bytes": free_bytes(small), "reserve_bytes": 64 * MEBIBYTE // 20,
    }  # fmt: skip
    assert [(one["part"], one["name"]) for one in full["troubles"]] == [("disk", "data")]
    values = {
        family.name: family.samples[0].value for family in text_string_to_metric_families(metrics) if family.samples
    }
    assert values["disk_reserve_bytes"] == 64 * MEBIBYTE // 20
    assert values["disk_free_bytes"] == free_bytes(small)
