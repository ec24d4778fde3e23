"""Overlays for TLS and an S3-compatible store: one training through both."""

import hashlib
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from client import Client
from compose.stack import ComposeStack, is_possible
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT, free_port

pytestmark = pytest.mark.compose

STANDINS = ROOT / "tests/compose/standins"


class PublicStack(ComposeStack):
    """A stack behind Caddy with files in a bucket; timm is its only service."""

    overlays = ("docker-compose.tls.yml", "docker-compose.s3.yml")
    project = "vision-overlays"
    frameworks = ("timm",)
    services = ("postgres", "migrate", "s3", "backend", "timm", "proxy")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.https_port = free_port()
        self.environment |= {"BIND": "127.0.0.1", "HTTP_PORT": str(free_port()), "HTTPS_PORT": str(self.https_port)}
        self.environment |= {"HSTS_SECONDS": "60", "CORS_ORIGINS": "https://app.example.com"}

    def start(self) -> None:
        for overlay in self.overlays:
            for service in yaml.safe_load((ROOT / overlay).read_text())["services"].values():
                if image := service.get("image"):
                    _have(image)
        if not os.environ.get("AS_BUILT"):
            self.compose("build", "migrate", "timm")
        self.compose("up", "--detach", *self.services)
        self.wait_until_ready()

    def authority(self) -> str:
        """Return the certificate of Caddy's own authority, which signs for localhost."""
        return self.compose("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt").decode()


def _have(image: str) -> None:
    """Pull an image, or build a stand-in where no registry answers."""
    for command in (("docker", "image", "inspect", image), ("docker", "pull", image)):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
    name = image.rpartition("/")[2].partition(":")[0]
    build = [
        "docker",
        "build",
        "--network",
        "host",
        "-t",
        image,
        "-f",
        str(STANDINS / f"{name}.Dockerfile"),
        str(STANDINS),
    ]
    subprocess.run(build, capture_output=True, check=True)


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicStack]:
    if not is_possible():
        pytest.skip("there is no container engine here")
    stack = PublicStack(tmp_path_factory.mktemp("public"))
    try:
        stack.start()
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "20")


@pytest.fixture
def user(public: PublicStack) -> Client:
    """A user who is signed in over HTTPS."""
    tls = ssl.create_default_context(cadata=public.authority())
    api = httpx.Client(base_url=f"https://localhost:{public.https_port}/api/v1", verify=tls, timeout=60)
    answer = api.post("/auth/login", json={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}).raise_for_status()
    assert answer.headers["Strict-Transport-Security"] == "max-age=60; includeSubDomains"
    api.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    client = Client(public.url)
    client.http.close()
    client.http = api
    return client


def test_a_training_over_https_with_its_files_in_a_bucket(public: PublicStack, user: Client, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "digits"), "zip", ROOT / "samples/digits"))
    with archive.open("rb") as file:
        form = {"data": {"name": "digits"}, "files": {"file": ("digits.zip", file, "application/zip")}}
        dataset = user.http.post("/datasets", **form).raise_for_status().json()
    _wait_until_ready(user, dataset["id"])
    project = user.post("/projects", {"name": "In a bucket"})
    settings = {"project_id": project["id"], "framework": "timm", "model_name": "resnet10t", "epochs": 2}
    settings |= {"task_type": "image_classification", "dataset_id": dataset["id"]}
    job = user.post("/training/jobs", settings)
    user.post(f"/training/jobs/{job['id']}/start")

    done = user.wait_for(job["id"], "completed", seconds=300)

    assert done["output_dir"].startswith("s3://platform/storage/jobs/")
    artifacts = user.get(f"/training/jobs/{job['id']}/artifacts")
    best = next(one for one in artifacts if one["name"].startswith("checkpoints/best"))
    content = user.http.get(f"/training/jobs/{job['id']}/artifacts/{best['name']}").content
    assert hashlib.sha256(content).hexdigest() == best["sha256"]


def _wait_until_ready(user: Client, dataset_id: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while (dataset := user.get(f"/datasets/{dataset_id}"))["status"] != "ready":
        assert time.monotonic() < deadline, dataset
        time.sleep(0.3)


def test_forwarded_headers_are_ignored_without_the_proxy(public: PublicStack) -> None:
    """A request that bypasses the proxy is redirected to HTTPS, whatever its headers claim."""
    forged = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"}
    answer = httpx.get(f"{public.url}/api/v1/projects", headers=forged)
    assert answer.status_code == 308
    assert answer.headers["Location"].startswith("https://")
