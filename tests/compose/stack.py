"""The stack of docker-compose.yml on a real engine, under a project name of its own."""

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from platform_under_test import ADMIN_PASSWORD, FRAMEWORKS, ROOT, free_port

UP_SECONDS = 300
SECRETS = ("JWT_SECRET", "SERVICE_TOKEN", "METRICS_TOKEN", "POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY")
REPORT = ROOT / "build/compose.json"


class ComposeStack:
    """A platform in containers, with the interface that tests from outside use."""

    name = "deployed"
    overlays: Sequence[str] = ()
    project = "vision-test"
    frameworks: Sequence[str] = FRAMEWORKS

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.datasets = folder / "datasets"
        self.datasets.mkdir(parents=True)
        for parent in self.datasets.parents:  # an unprivileged user reads them in the containers
            if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
                parent.chmod(0o755)
        self.environment = {name: secrets.token_urlsafe(32) for name in SECRETS}
        self.environment |= {
            "PORT": str(self.port), "DATASETS_DIR": str(self.datasets), "ADMIN_PASSWORD": ADMIN_PASSWORD,
            "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0",
        }  # fmt: skip
        self.seconds: dict[str, float] = {}

    def start(self) -> None:
        if not os.environ.get("AS_BUILT"):  # the variable runs tests again on the same images
            with self.timed("build"):
                self.compose("build")
        with self.timed("up"):
            self.compose("up", "--detach")
            self.wait_until_ready()

    def stop(self) -> None:
        self._write_report()
        self.compose("down", "--volumes", "--timeout", "30")

    def stop_service(self, framework: str) -> None:
        self.compose("stop", framework)

    def start_service(self, framework: str) -> None:
        self.compose("start", framework)

    def compose(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Run docker-compose; returns its standard output."""
        files = ("docker-compose.yml", *self.overlays, "tests/compose/override.yml")
        done = subprocess.run(
            ["docker-compose", "-p", self.project, *(word for file in files for word in ("-f", file)), *arguments],
            cwd=ROOT, env=os.environ | self.environment, input=stdin, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout[-2000:] + done.stderr[-3000:]).decode(errors="replace")
        return done.stdout

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-q", service).decode().split()

    def wait_until_ready(self) -> None:
        """Wait until the backend and every started framework are ready."""
        deadline = time.monotonic() + UP_SECONDS
        answer = None
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = httpx.get(f"{self.url}/ready", timeout=10)
                if answer.is_success and all(answer.json()["services"][name] == "ok" for name in self.frameworks):
                    return
            time.sleep(0.5)
        raise AssertionError((answer.text if answer else "") + self.compose("logs", "--tail", "30").decode())

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Record the seconds of a block for the report."""
        started = time.monotonic()
        yield
        self.seconds[what] = round(time.monotonic() - started, 1)

    def _write_report(self) -> None:
        images = [f"vision-{name}" for name in ("backend", "timm", "ultralytics", "huggingface")]
        sizes = {image: int(docker("image", "inspect", "-f", "{{.Size}}", image)) for image in images}
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(json.dumps({"image_bytes": sizes, "seconds": self.seconds}, indent=1) + "\n")


def docker(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_possible() -> bool:
    """Return whether a container engine and compose are available."""
    if not (shutil.which("docker") and shutil.which("docker-compose")):
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
