"""`python -m vision_api` as a process: how it starts, why it may not, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from support.backend_process import GUARD
from support.service_folders import add_service
from support.small_disks import fill, needs_root, small_disk

PATIENCE_SECONDS = 60.0
PASSWORD = "a long enough passphrase"


@dataclass
class Backend:
    """A backend that a test has started, and what it has written so far."""

    process: subprocess.Popen[bytes]
    log: Path
    data_dir: Path
    port: int

    @property
    def output(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def end(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def service_id(self, name: str) -> int:
        return int((self.data_dir / "services" / name / "pid").read_text())


Start = Callable[..., Backend]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a backend with settings of its own; none outlives the test."""
    started: list[Backend] = []

    def start_one(**environment: str) -> Backend:
        log, data_dir, port = tmp_path / f"log{len(started)}", tmp_path / "data", free_port()
        settings = {
            "DATA_DIR": str(data_dir),
            "SERVICES_DIR": str(tmp_path / "services"),
            "PORT": str(port),
            "ADMIN_PASSWORD": PASSWORD,
        }
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-W", GUARD, "-m", "vision_api"],
                env=os.environ | settings | environment,
                stdout=file,
                stderr=file,
                cwd=tmp_path,
            )
        started.append(Backend(process, log, data_dir, port))
        return started[-1]

    yield start_one
    for backend in started:
        backend.process.kill()
        backend.process.wait()


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(process_id: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while is_alive(process_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def only_line(backend: Backend) -> str:
    """Return the error of a start that failed: one message, and no traceback."""
    assert backend.end() == 1
    lines = backend.output.splitlines()
    assert len(lines) == 1, backend.output
    return lines[0]


def test_it_serves_prints_its_address_and_leaves_nothing_after_ctrl_c(start: Start, tmp_path: Path) -> None:
    add_service(tmp_path / "services", "alpha")
    backend = start()
    backend.wait_for("Ctrl-C stops everything")

    assert f"http://localhost:{backend.port}/docs" in backend.output
    assert str(backend.data_dir) in backend.output
    assert re.search(r"alpha +1\.0, 1 models", backend.output)
    assert httpx.get(f"http://127.0.0.1:{backend.port}/health").status_code == 200
    service = backend.service_id("alpha")

    backend.process.send_signal(signal.SIGINT)
    assert backend.end() == 0
    assert not is_alive(service)
    assert "Traceback" not in backend.output


def test_a_request_that_never_ends_does_not_hold_the_end_up(start: Start) -> None:
    backend = start(SERVICES_DIR="nowhere")
    backend.wait_for("Ctrl-C stops everything")
    with socket.create_connection(("127.0.0.1", backend.port)) as slow:
        slow.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        backend.process.send_signal(signal.SIGTERM)
        assert backend.end() == 0
    assert "Traceback" not in backend.output


def test_an_open_event_stream_is_hung_up_on(start: Start) -> None:
    backend = start(SERVICES_DIR="nowhere")
    backend.wait_for("Ctrl-C stops everything")
    with httpx.Client(base_url=f"http://127.0.0.1:{backend.port}/api/v1", timeout=PATIENCE_SECONDS) as client:
        credentials = {"email": "admin@example.com", "password": PASSWORD}
        token = client.post("/auth/login", json=credentials).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        project_id = client.post("/projects", json={"name": "Watched"}).json()["id"]
        with client.stream("GET", f"/projects/{project_id}/events") as events:
            assert events.status_code == 200
            backend.process.send_signal(signal.SIGINT)
            assert backend.end() == 0
    assert "Traceback" not in backend.output


def test_a_second_ctrl_c_does_not_wait_for_a_service(start: Start, tmp_path: Path) -> None:
    add_service(tmp_path / "services", "alpha", "deaf")
    backend = start(STOP_GRACE_SECONDS="500")
    backend.wait_for("Ctrl-C stops everything")
    service = backend.service_id("alpha")

    backend.process.send_signal(signal.SIGINT)
    backend.wait_for("stopping")
    backend.process.send_signal(signal.SIGINT)

    assert backend.end() == 0
    assert not is_alive(service)


def test_after_a_kill_the_services_end_and_the_next_start_succeeds(start: Start, tmp_path: Path) -> None:
    add_service(tmp_path / "services", "alpha")
    backend = start()
    backend.wait_for("Ctrl-C stops everything")
    service = backend.service_id("alpha")
    backend.process.kill()
    wait_until_gone(service)

    again = start()
    again.wait_for("Ctrl-C stops everything")
    assert again.service_id("alpha") != service


def test_a_port_in_use_is_one_line(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = only_line(start(PORT=str(port)))

    assert f"Port {port} is in use" in line
    assert f"PORT={port + 1}" in line


def test_a_second_backend_on_the_same_data_is_one_line(start: Start) -> None:
    first = start(SERVICES_DIR="nowhere")
    first.wait_for("Ctrl-C stops everything")

    assert f"Another backend (process {first.process.pid})" in only_line(start())


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"TRAINING_EXECUTION_MODE": "http", "TIMM_SERVICE_URL": "timm:8001"}, "TIMM_SERVICE_URL"),
        pytest.param({"PORT": "many"}, "PORT", marks=pytest.mark.thorough),
        ({"DATA_DIR": "/dev/null/data"}, "DATA_DIR"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(start: Start, settings: dict[str, str], text: str) -> None:
    assert text in only_line(start(**settings))


@needs_root
def test_a_full_disk_is_one_line(start: Start, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        (disk / "filler").write_bytes(b"x" * 60_000)
        line = only_line(start(DATA_DIR=str(disk / "data")))

    assert "The disk of DATA_DIR" in line
    assert "is full" in line


@needs_root
def test_sign_in_goes_on_when_others_fill_the_disk_to_the_last_byte(start: Start, tmp_path: Path) -> None:
    login = {"email": "admin@example.com", "password": PASSWORD}
    with small_disk(tmp_path / "disk", "256m") as disk:
        backend = start(DATA_DIR=str(disk / "data"))
        backend.wait_for("Ctrl-C stops everything")
        ballast = disk / "data/ballast"
        wait_until(ballast.exists)
        filler = fill(disk)
        with httpx.Client(base_url=f"http://127.0.0.1:{backend.port}") as client:
            for _ in range(20):
                assert client.post("/api/v1/auth/login", json=login).status_code == 200
            assert client.get("/ready").json()["disks"]["data"]["status"] == "full"
        assert not ballast.exists()
        filler.unlink()
        wait_until(ballast.exists)
        backend.process.kill()
        backend.process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
