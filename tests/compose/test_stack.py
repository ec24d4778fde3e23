"""Tests that need containers: scaling, killed containers, wiped disks, an upgrade, backup and restore.

`make test-compose` runs it after the six scenarios, on the same stack.
"""

import hashlib
import json
import re
import time
from typing import Any

import httpx
import pytest
from client import Client
from compose.stack import ComposeStack, docker
from conftest import Platform
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, FRAMEWORKS

pytestmark = pytest.mark.compose

NEXT_VERSION = 'FROM vision-backend\nLABEL org.opencontainers.image.version="next"\n'
BACKEND_BYTES = 400 * 10**6
"""Bound on the size of the backend's image beyond its base image."""


@pytest.fixture
def stack(platform: Platform) -> ComposeStack:
    assert isinstance(platform, ComposeStack)
    return platform


def _sign_in(stack: ComposeStack) -> Client:
    return Client.sign_in(stack.url, ADMIN_EMAIL, ADMIN_PASSWORD)


def _start(user: Client, stack: ComposeStack, **settings: Any) -> dict[str, Any]:
    """Start a long experiment on the digits."""
    project = user.post("/projects", {"name": "In containers"})
    body = {
        "project_id": project["id"], "framework": "timm", "model_name": "resnet10t", "epochs": 500,
        "task_type": "image_classification", "dataset_path": str(stack.datasets / "digits"),
    }  # fmt: skip
    job = user.post("/training/jobs", body | settings)
    return user.post(f"/training/jobs/{job['id']}/start")


def _wait_for_epoch(user: Client, job: dict[str, Any], epoch: int, seconds: float = 240) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = user.get(f"/training/jobs/{job['id']}")
        assert now["status"] not in ("failed", "cancelled"), now
        if now["progress"]["epoch"] >= epoch:
            return now
        time.sleep(0.3)
    raise AssertionError(now)


def _steps(user: Client, job: dict[str, Any]) -> list[int]:
    (loss,) = user.get(f"/training/jobs/{job['id']}/metrics", names="val/loss")
    return [point["step"] for point in loss["points"]]


def _best(user: Client, job: dict[str, Any]) -> str:
    """Return the SHA-256 of the best checkpoint; the download and the artifact list must agree."""
    artifacts = user.get(f"/training/jobs/{job['id']}/artifacts")
    best = next(one for one in artifacts if one["name"].startswith("checkpoints/best"))
    content = user.http.get(f"/training/jobs/{job['id']}/artifacts/{best['name']}").content
    assert hashlib.sha256(content).hexdigest() == best["sha256"]
    return best["sha256"]


@pytest.mark.parametrize("name", ["backend", *FRAMEWORKS])
def test_images_are_labelled_and_run_as_an_unprivileged_user(stack: ComposeStack, name: str) -> None:
    config = json.loads(docker("image", "inspect", f"vision-{name}"))[0]["Config"]
    assert config["User"] == "platform"
    assert config["Labels"]["org.opencontainers.image.version"]
    assert config["Healthcheck"]["Test"]


def test_the_backend_is_small_and_has_no_framework(stack: ComposeStack) -> None:
    base = int(docker("image", "inspect", "-f", "{{.Size}}", "python:3.12-slim"))
    assert int(docker("image", "inspect", "-f", "{{.Size}}", "vision-backend")) - base < BACKEND_BYTES
    packages = stack.compose("exec", "-T", "backend", "ls", "/app/backend/.venv/lib/python3.12/site-packages").decode()
    assert "fastapi" in packages
    assert "torch" not in packages


def test_only_the_backend_is_published(stack: ComposeStack) -> None:
    published = [line for line in stack.compose("ps").decode().splitlines() if "->" in line]
    assert len(published) == 1
    assert "backend" in published[0]


@pytest.mark.parametrize("service", ["backend", "timm"])
def test_file_systems_are_read_only_and_nobody_is_root(stack: ComposeStack, service: str) -> None:
    command = "touch /app/x 2>&1; id -u; touch /data/x /tmp/x && echo writable"
    output = stack.compose("exec", "-T", service, "sh", "-c", command).decode()
    assert "Read-only file system" in output
    assert "10001\nwritable" in output


def test_metrics_need_their_token_and_count_instances(stack: ComposeStack) -> None:
    assert httpx.get(f"{stack.url}/metrics").status_code == 401
    text = _metrics(stack)
    assert set(re.findall(r'training_service_instances{framework="(\w+)"} 1.0', text)) == set(FRAMEWORKS)


def _metrics(stack: ComposeStack) -> str:
    token = {"Authorization": f"Bearer {stack.environment['METRICS_TOKEN']}"}
    return httpx.get(f"{stack.url}/metrics", headers=token).raise_for_status().text


def test_a_scaled_service_trains_on_each_replica(stack: ComposeStack) -> None:
    user = _sign_in(stack)
    with stack.timed("scale to 2"):
        stack.compose("up", "--detach", "--no-recreate", "--scale", "timm=2")
        deadline = time.monotonic() + 120
        while 'training_service_instances{framework="timm"} 2.0' not in _metrics(stack):
            assert time.monotonic() < deadline
            time.sleep(0.5)
    jobs = [_start(user, stack) for _ in range(2)]
    for job in jobs:
        user.wait_for(job["id"], "running", seconds=240)
    for job in jobs:
        user.post(f"/training/jobs/{job['id']}/stop")
    for job in jobs:
        user.wait_for(job["id"], "cancelled", seconds=120)
    stack.compose("up", "--detach", "--no-recreate", "--scale", "timm=1")


def test_killed_containers_and_a_wiped_disk_lose_nothing(stack: ComposeStack) -> None:
    user = _sign_in(stack)
    job = _start(user, stack, epochs=12)
    _wait_for_epoch(user, job, 3)
    docker("kill", *stack.containers("backend"))
    docker("rm", "--force", "--volumes", *stack.containers("timm"))
    with stack.timed("training again after a lost disk"):
        stack.compose("up", "--detach")
        stack.wait_until_ready()
        user = _sign_in(stack)
        _wait_for_epoch(user, job, 4)

    done = user.wait_for(job["id"], "completed", seconds=400)

    assert done["attempt"] >= 2
    steps = _steps(user, job)
    assert steps == sorted(set(steps))
    assert len(steps) == 12
    _best(user, job)


def test_an_upgrade_of_the_backend_leaves_trainings_alone(stack: ComposeStack) -> None:
    user = _sign_in(stack)
    job = _start(user, stack, epochs=12)
    _wait_for_epoch(user, job, 1)
    with stack.timed("upgrade of the backend"):
        docker("build", "-q", "-t", "vision-backend", "-", stdin=NEXT_VERSION)
        stack.compose("up", "--detach", "--no-build")
        stack.wait_until_ready()
    label = '{{index .Config.Labels "org.opencontainers.image.version"}}'
    assert docker("inspect", "-f", label, *stack.containers("backend")).strip() == "next"

    done = _sign_in(stack).wait_for(job["id"], "completed", seconds=400)

    assert done["attempt"] == 1


def test_everything_is_there_after_all_volumes_were_lost(stack: ComposeStack) -> None:
    user = _sign_in(stack)
    finished = user.wait_for(_start(user, stack, epochs=1)["id"], "completed", seconds=300)
    running = _start(user, stack, epochs=10)
    _wait_for_epoch(user, running, 2)
    before = (_best(user, finished), len(user.get("/projects", limit=200)))
    with stack.timed("backup"):
        backup = stack.compose("exec", "-T", "backend", "python", "-m", "vision_api.backup", "create", "-")

    stack.compose("down", "--volumes", "--timeout", "10")
    with stack.timed("restore"):
        stack.compose("up", "--detach", "postgres")
        stack.compose("run", "--rm", "migrate")
        restore = ("python", "-m", "vision_api.backup", "restore", "-")
        stack.compose("run", "--rm", "-T", "backend", *restore, stdin=backup)
        stack.compose("up", "--detach")
        stack.wait_until_ready()

    user = _sign_in(stack)
    assert (_best(user, finished), len(user.get("/projects", limit=200))) == before
    done = user.wait_for(running["id"], "completed", seconds=400)
    assert done["attempt"] > 100
    assert len(_steps(user, running)) == 10
