"""The stack of docker-compose.yml on a real engine: brought up, signed in, trained in (`make test-compose`)."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from client import Client
from platform_under_test import ADMIN_EMAIL, ROOT, free_port

pytestmark = pytest.mark.compose

UP_SECONDS = 180
SECRETS = ("JWT_SECRET", "SERVICE_TOKEN", "METRICS_TOKEN", "POSTGRES_PASSWORD", "ADMIN_PASSWORD")
CLASSIFIERS = {"timm": "resnet10t", "ultralytics": "yolov8n-cls", "huggingface": "microsoft/resnet-18"}


class Stack:
    """One run of the compose file, under a name of its own, so that it meets no other."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.datasets = folder / "datasets"
        self.environment = {name: secrets.token_urlsafe(32) for name in SECRETS}
        self.environment |= {"PORT": str(self.port), "DATASETS_DIR": str(self.datasets)}

    def compose(self, *arguments: str) -> str:
        files = ["-f", "docker-compose.yml", "-f", "tests/compose/host-network.yml"]
        done = subprocess.run(
            ["docker-compose", "-p", "vision-test", *files, *arguments],
            cwd=ROOT,
            env=os.environ | self.environment | {"DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + UP_SECONDS
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/ready", timeout=5).status_code == httpx.codes.OK:
                    return
            time.sleep(0.5)
        raise AssertionError(self.compose("logs", "--tail", "40"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("compose"))
    shutil.copytree(ROOT / "samples/digits", running.datasets / "digits")
    running.datasets.parent.chmod(0o755)
    running.compose("build")
    try:
        running.compose("up", "--detach")
        running.wait_until_ready()
        yield running
    finally:
        running.compose("down", "--volumes", "--timeout", "20")


@pytest.mark.parametrize("framework", CLASSIFIERS)
def test_a_first_training_through_the_stack(stack: Stack, framework: str) -> None:
    admin = Client.sign_in(stack.url, ADMIN_EMAIL, stack.environment["ADMIN_PASSWORD"])
    project = admin.post("/projects", {"name": f"On {framework}"})
    job = admin.post(
        "/training/jobs",
        {
            "project_id": project["id"],
            "framework": framework,
            "model_name": CLASSIFIERS[framework],
            "task_type": "image_classification",
            "dataset_path": "/datasets/digits",
            "epochs": 2,
        },
    )
    admin.post(f"/training/jobs/{job['id']}/start")

    done = admin.wait_for(job["id"], "completed", seconds=300)

    assert done["progress"]["percent"] == 100
    artifacts = admin.get(f"/training/jobs/{job['id']}/artifacts")
    best = next(artifact for artifact in artifacts if artifact["name"].startswith("checkpoints/best"))
    content = admin.http.get(f"/training/jobs/{job['id']}/artifacts/{best['name']}").content
    assert len(content) == best["size_bytes"]


def test_only_the_backend_is_published(stack: Stack) -> None:
    listing = stack.compose("ps")
    published = [line for line in listing.splitlines() if "->" in line]

    assert len(published) == 1
    assert "backend" in published[0]
