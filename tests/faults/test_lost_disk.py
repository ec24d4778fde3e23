"""Loss of a service's machine with its whole disk: a job continues from what is in object storage."""

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from client import Client
from object_storage import s3_storage
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT, DeployedPlatform

from faults.machine import processes_on, switch_off

EPOCHS = 30
CHECKPOINTS = 3


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[DeployedPlatform]:
    with s3_storage(tmp_path) as storage:
        running = DeployedPlatform(tmp_path / "platform", ("timm",), storage=storage)
        try:
            running.start()
            yield running
        finally:
            running.stop()


def lose(platform: DeployedPlatform, framework: str) -> None:
    """Replace the service's machine by a new one with an empty disk."""
    service = platform.services[framework]
    disk = Path(service.environment["DATA_DIR"])
    assert len(processes_on(disk)) >= 3, "a service, a runner and a trainer"
    switch_off(disk)
    service.kill()
    disk.mkdir()
    service.start()


def packed_digits() -> bytes:
    """Return a zip of the bundled digits, as a user would upload it."""
    source, buffer = ROOT / "samples" / "digits", io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for path in sorted(source.glob("*/[0-3]/*.png")):
            packed.write(path, path.relative_to(source))
    return buffer.getvalue()


def upload(user: Client) -> int:
    files = {"file": ("digits.zip", packed_digits(), "application/zip")}
    answer = user.http.post("/datasets", files=files, data={"name": "digits"})
    assert answer.is_success, answer.text
    dataset_id: int = answer.json()["id"]
    deadline = time.monotonic() + 30
    while (dataset := user.get(f"/datasets/{dataset_id}"))["status"] == "processing":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert dataset["status"] == "ready"
    return dataset_id


def checkpoints_before_the_loss(user: Client, job_id: int) -> int:
    """Return the step of the newest checkpoint once there are a few."""
    steps = []
    for event in user.follow(job_id):
        assert event.event != "end", user.log_text(job_id)
        if event.event == "checkpoint":
            steps.append(json.loads(event.data)["step"])
            if len(steps) == CHECKPOINTS:
                return steps[-1]
    raise AssertionError("the stream has ended")


def check_downloads(user: Client, path: str, artifact: dict[str, Any]) -> None:
    """Check a download of the whole file, of a range, and from the store itself."""
    whole = user.http.get(path)
    assert hashlib.sha256(whole.content).hexdigest() == artifact["sha256"]
    part = user.http.get(path, headers={"Range": "bytes=-7"})
    assert (part.status_code, part.content) == (httpx.codes.PARTIAL_CONTENT, whole.content[-7:])
    url = user.get(path, presign=1)["url"]
    assert httpx.get(url).content == whole.content


@pytest.mark.idle
def test_a_job_continues_from_storage_after_its_service_lost_its_disk(platform: DeployedPlatform) -> None:
    user = Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD)
    project = user.post("/projects", {"name": "Lost"})
    job_id = user.post("/training/jobs", {
        "project_id": project["id"], "framework": "timm", "model_name": "test_resnet", "epochs": EPOCHS,
        "task_type": "image_classification", "dataset_id": upload(user), "batch_size": 8, "device": "cpu",
        "hyperparameters": {"image_size": 32},
    })["id"]  # fmt: skip
    user.post(f"/training/jobs/{job_id}/start")
    known = checkpoints_before_the_loss(user, job_id)

    began = time.monotonic()
    lose(platform, "timm")
    done = user.wait_for(job_id, "completed")

    rewinds = [json.loads(event.data) for event in user.follow(job_id) if event.event == "rewind"]
    print(f"attempts {done['attempt']}, checkpoint {known}, rewinds {rewinds}, {time.monotonic() - began:.1f} s")
    assert done["attempt"] == 2
    assert done["progress"]["epoch"] == EPOCHS
    [rewind] = rewinds
    assert known <= rewind["step"] < done["progress"]["steps"]
    curves = user.get(f"/training/jobs/{job_id}/metrics", names="val/loss", max_points=10_000)
    steps = [point["step"] for point in curves[0]["points"]]
    assert steps == sorted(set(steps))
    assert len(steps) == EPOCHS
    for artifact in user.get(f"/training/jobs/{job_id}/artifacts"):
        check_downloads(user, f"/training/jobs/{job_id}/artifacts/{artifact['name']}", artifact)
