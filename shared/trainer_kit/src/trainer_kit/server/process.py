"""The process of a training service, which its console script runs."""

import asyncio
import logging
import signal
import sys
import time
from contextlib import ExitStack
from types import FrameType

import uvicorn
from pydantic import ValidationError

from data_kit import StorageError
from http_kit.sockets import listen
from trainer_kit.catalog import CatalogError
from trainer_kit.devices import count_gpus, list_devices
from trainer_kit.environments import framework_variables
from trainer_kit.file_lock import FileLock
from trainer_kit.imports import import_adapter
from trainer_kit.logs import configure_logging
from trainer_kit.runner.dataset_cache import DatasetCache
from trainer_kit.runner.runner import UPLOAD_SECONDS_WHEN_STOPPED
from trainer_kit.runner.stopping import TERM_SECONDS
from trainer_kit.server.app import create_app
from trainer_kit.server.parent import watch_parent
from trainer_kit.server.service import Service, create_service
from trainer_kit.settings import ServiceSettings
from trainer_kit.supervisor import (
    ContainerLauncher,
    ContainersImpossible,
    Launcher,
    ProcessLauncher,
    Supervisor,
    WarmLauncher,
    make_plan,
)

LOCK_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 75
"""Longer than the pause between two calls of a backend, which would else find closed connections."""
BACKLOG = 128
STREAM_SECONDS = 3
"""Time that streams have to deliver the last events."""

log = logging.getLogger(__name__)


class StartError(Exception):
    """The service cannot start. The message is the one line that its operator needs."""


def serve(adapter_path: str) -> int:
    """Serve the adapter behind `module:attribute` until SIGTERM, SIGINT or its parent's end. Returns the exit code."""
    try:
        settings = _read_settings()
        configure_logging(settings.log_format)
        lock = _lock_data_dir(settings)
        try:
            _serve(adapter_path, settings)
        finally:
            lock.release()
    except (StartError, CatalogError, ContainersImpossible, StorageError, OSError) as error:
        sys.stderr.write(f"The training service {adapter_path} cannot start: {error}\n")
        return 1
    return 0


def _serve(adapter_path: str, settings: ServiceSettings) -> None:
    adapter = import_adapter(adapter_path)
    passed = (*settings.service_env_pass, *framework_variables(adapter))
    settings = settings.model_copy(update={"service_env_pass": tuple(dict.fromkeys(passed))})
    devices = list_devices()
    gpus = count_gpus(devices)
    launcher = _choose_launcher(settings, adapter_path, gpus)
    DatasetCache(settings.dataset_cache_dir, settings.dataset_cache_bytes).remove_leftovers()
    supervisor = Supervisor(
        settings.data_dir, settings.slots or max(1, gpus), launcher, gpus=gpus, disks=settings.disks()
    )
    service = create_service(adapter, settings, supervisor, devices)
    config = uvicorn.Config(
        create_app(service, settings),
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STREAM_SECONDS,
    )
    with ExitStack() as closing:
        sockets = [closing.enter_context(each) for each in listen(settings.host, settings.port, backlog=BACKLOG)]
        host, port = sockets[0].getsockname()[:2]
        log.info("%s trains %d at a time, on %s", adapter.framework, supervisor.slots, devices[0].name)
        log.info("%s listens on %s port %d", adapter.framework, host, port)
        server = _Server(config, service, settings)
        if settings.parent_pipe_fd is not None:
            watch_parent(settings.parent_pipe_fd, server.end)
        asyncio.run(server.serve(sockets=sockets))


class _Server(uvicorn.Server):
    """A server that ends in two steps on a signal: it pauses every training, then shuts down."""

    def __init__(self, config: uvicorn.Config, service: Service, settings: ServiceSettings) -> None:
        super().__init__(config)
        self._service = service
        self._grace_seconds = settings.stop_grace_seconds
        self._drain_until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Pause all trainings. A second signal ends the server at once; the trainings continue."""
        if self._drain_until is None:
            log.info("%s: pausing what runs", signal.Signals(sig).name)
            self._drain_until = time.monotonic() + self._grace_seconds + TERM_SECONDS + UPLOAD_SECONDS_WHEN_STOPPED
        else:
            self.end()

    def end(self) -> None:
        """End the process, and leave the runners alone."""
        self._service.is_closing = True
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second."""
        if self._drain_until is not None:
            supervisor = self._service.supervisor
            if not supervisor.is_draining:
                await asyncio.to_thread(supervisor.drain, self._grace_seconds)
            is_over = time.monotonic() > self._drain_until
            if is_over or await asyncio.to_thread(supervisor.is_idle):
                self.should_exit = True
        return await super().on_tick(counter)


def _choose_launcher(settings: ServiceSettings, adapter_path: str, gpus: int) -> Launcher:
    if settings.trainer_launcher == "container":
        return ContainerLauncher(settings, adapter_path, make_plan(settings), gpus=gpus)
    if settings.warm_idle_seconds > 0 and WarmLauncher.is_possible():
        return WarmLauncher(settings, adapter_path, idle_seconds=settings.warm_idle_seconds)
    return ProcessLauncher(settings, adapter_path)


def _read_settings() -> ServiceSettings:
    try:
        return ServiceSettings()  # pyright: ignore[reportCallIssue] - the environment has the rest
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]).upper()
        message = "is not set" if first["type"] == "missing" else first["msg"]
        raise StartError(f"{name} {message}.".strip()) from None


def _lock_data_dir(settings: ServiceSettings) -> FileLock:
    """Lock the data directory: two services on the same data would control the same runners."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.data_dir / "service.lock")
    if not lock.acquire(timeout_seconds=LOCK_SECONDS):
        raise StartError(f"another training service uses {settings.data_dir}. End it, or set another DATA_DIR.")
    return lock
