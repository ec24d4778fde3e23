"""A training service in its own process, and the requests that a backend would send."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.testing.waiting import wait_until
from vision_contracts import HeldJob, JobEvent, JobSpec, ServiceReady

TOKEN = "a-token-for-tests-of-32-characters"  # noqa: S105
START_SECONDS = 60.0


class ServiceProcess:
    """The service of `adapter` on a free port of loopback, with its data in `data_dir`."""

    def __init__(self, adapter: str, data_dir: Path, dataset_roots: list[Path], **environment: str) -> None:
        self.data_dir = data_dir
        self._adapter = adapter
        self.environment = {
            "HOST": "127.0.0.1",
            "PORT": "0",
            "SERVICE_TOKEN": TOKEN,
            "DATA_DIR": str(data_dir),
            "DATASET_ROOTS": os.pathsep.join(map(str, dataset_roots)),
            "OMP_NUM_THREADS": "1",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise RuntimeError("The service is not started.")
        return self._process

    @property
    def log_file(self) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.log")

    def start(self, *, pass_fds: tuple[int, ...] = ()) -> "ServiceProcess":
        """Start the service, and return once it answers."""
        already = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "trainer_kit.server", self._adapter],
                env=os.environ | self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        port = wait_until(
            lambda: self._listening_port(already), "the start of the service", timeout_seconds=START_SECONDS
        )
        self.client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        wait_until(self._answers, "an answer of the service")
        return self

    def kill(self) -> None:
        """Kill the HTTP process, as `kill -9` does; its runners continue."""
        self.process.kill()
        self.process.wait()

    def terminate(self, timeout_seconds: float = 60) -> int:
        """Send SIGTERM, as an operator does, and return the exit code."""
        self.process.terminate()
        return self.process.wait(timeout_seconds)

    def close(self) -> None:
        """Kill the service, its runners and its trainers."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        for role in ("runner", "trainer"):
            for file in self.data_dir.glob(f"jobs/*/*/{role}.json"):
                process = AttemptFolder(file.parent).find_process(role)
                if process is not None and process.owner() == "itself":
                    os.kill(process.pid, signal.SIGKILL)
        self.client.close()

    def ready(self) -> ServiceReady:
        return ServiceReady.model_validate_json(self._get("/ready").content)

    def begin(self, spec: JobSpec) -> httpx.Response:
        return self.client.post("/training/start", json=spec.model_dump(mode="json"))

    def begin_ok(self, spec: JobSpec) -> JobSpec:
        """Start a job. Raises AssertionError if it is refused."""
        response = self.begin(spec)
        assert response.status_code == 202, response.text
        return spec

    def stop(self, spec: JobSpec, mode: str = "stop", grace_seconds: float = 30.0) -> httpx.Response:
        body = {"attempt": spec.attempt, "mode": mode, "grace_seconds": grace_seconds}
        return self.client.post(f"/training/stop/{spec.job_uid}", json=body)

    def held(self) -> list[HeldJob]:
        return [HeldJob.model_validate(one) for one in self._get("/training/jobs").json()]

    def events(self, spec: JobSpec, *, after: int = 0) -> list[JobEvent]:
        """Return the events so far."""
        response = self._get(f"/training/jobs/{spec.job_uid}/events", attempt=spec.attempt, after=after)
        return [JobEvent.from_line(line) for line in response.iter_lines() if line]

    def follow(self, spec: JobSpec, *, after: int = 0, timeout_seconds: float = 120.0) -> Iterator[JobEvent]:
        """Yield events until the terminal one. Raises httpx.ReadTimeout after 12 s without a heartbeat."""
        address = f"/training/jobs/{spec.job_uid}/events"
        query = {"attempt": spec.attempt, "after": after, "follow": True}
        with self.client.stream("GET", address, params=query, timeout=httpx.Timeout(timeout_seconds, read=12)) as lines:
            lines.raise_for_status()
            for line in lines.iter_lines():
                if line:
                    yield JobEvent.from_line(line)

    def wait_for(self, spec: JobSpec, type_: str, *, timeout_seconds: float = 120.0) -> JobEvent:
        """Return the first event of that type. Raises AssertionError if the attempt ends without it."""
        for event in self.follow(spec, timeout_seconds=timeout_seconds):
            if event.body.type == type_:
                return event
            assert not event.is_terminal, f"ended instead of {type_}: {event.body}"
        raise AssertionError(f"the stream ended without {type_}")

    def folder(self, spec: JobSpec) -> AttemptFolder:
        return AttemptFolder.at(self.data_dir, spec.job_uid, spec.attempt)

    def trainer_pid(self, spec: JobSpec) -> int:
        return self._pid(spec, "trainer")

    def runner_pid(self, spec: JobSpec) -> int:
        return self._pid(spec, "runner")

    def warm_parent(self) -> psutil.Process | None:
        """Return the warm parent process of this service, or None."""
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # a zombie is none any more
                if child.cmdline()[:1] == [f"warm parent: {self._adapter}"]:
                    return child
        return None

    def _pid(self, spec: JobSpec, role: str) -> int:
        found = self.folder(spec).find_process("runner" if role == "runner" else "trainer")
        if found is None:
            raise LookupError(f"There is no {role}.")
        return found.pid

    def _get(self, path: str, **query: Any) -> httpx.Response:
        return self.client.get(path, params=query).raise_for_status()

    def _answers(self) -> bool:
        try:
            return self.client.get("/health").is_success
        except httpx.TransportError:
            return False

    def _listening_port(self, skip: int) -> int | None:
        if self.process.poll() is not None:
            raise RuntimeError(f"The service has ended:\n{self.log_file.read_bytes()[skip:].decode()}")
        lines = self.log_file.read_bytes()[skip:].decode(errors="replace").splitlines()
        return next((int(line.rsplit(" ", 1)[1].rstrip('"}')) for line in lines if " listens on " in line), None)


@contextmanager
def running_service(
    adapter: str, data_dir: Path, dataset_roots: list[Path], **environment: str
) -> Generator[ServiceProcess]:
    """Run a service, and kill it and all its processes at the end."""
    service = ServiceProcess(adapter, data_dir, dataset_roots, **environment)
    try:
        yield service.start()
    finally:
        service.close()
