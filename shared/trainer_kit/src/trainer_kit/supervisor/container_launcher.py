"""A launcher of runners in containers, through the Docker Engine API.

The engine's socket is root on its host: control of this service is control of the host. The *job* gets less than a
process of the service would have: the image read-only, bounded CPU and memory, no capabilities, named volumes.
"""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any, Protocol, cast

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.types import DeviceRequest, Mount
from requests.exceptions import RequestException

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.environments import runner_environment
from trainer_kit.settings import RunnerSettings
from trainer_kit.supervisor.container_plan import ContainerPlan
from trainer_kit.supervisor.launcher import RunnerHandle

LABEL = "vision.attempts-of"
FOLDER_LABEL = "vision.folder"
POLL_SECONDS = 1.0
SWEEP_SECONDS = 30.0
ENGINE_SECONDS = 30
ALL_GPUS = DeviceRequest(count=-1, capabilities=[["gpu"]])
"""A job names its GPU by the number that it has for the service."""

log = logging.getLogger(__name__)


class Container(Protocol):
    """Types of the used part of `docker.models.containers.Container`, which has none."""

    attrs: dict[str, Any]
    status: str

    def start(self) -> None: ...
    def reload(self) -> None: ...
    def kill(self) -> None: ...
    def remove(self, *, force: bool) -> None: ...


class ContainerLauncher:
    """Satisfies `Launcher`. A container has the name of its attempt, so that there is never a second one."""

    def __init__(self, settings: RunnerSettings, adapter: str, plan: ContainerPlan, *, gpus: int = 0) -> None:
        self._settings = settings
        self._adapter = adapter
        self._plan = plan
        self._gpus = gpus
        self._client: Any = docker.from_env(timeout=ENGINE_SECONDS)
        self._swept_at = 0.0
        self._mutex = threading.Lock()
        """Held from a container's creation to its start, so that it is not removed as a leftover."""

    def launch(self, folder: AttemptFolder) -> RunnerHandle:
        """Start a runner's container. Raises OSError if the engine fails."""
        try:
            with self._mutex:
                container = self._create(folder)
                container.start()
        except (DockerException, RequestException) as error:
            self.kill(folder)
            raise OSError(f"The container engine cannot start a runner: {error}") from error
        return _ContainerRunner(container)

    def kill(self, folder: AttemptFolder) -> None:
        try:
            cast("Container", self._client.containers.get(self._name(folder))).remove(force=True)
        except NotFound:
            return
        except (DockerException, RequestException) as error:
            log.warning("%s: its container cannot be removed: %s", folder, error)

    def maintain(self) -> None:
        """Remove leftovers of a killed service: containers that never started, or whose attempt is gone."""
        if time.monotonic() - self._swept_at < SWEEP_SECONDS:
            return
        self._swept_at = time.monotonic()
        try:
            with self._mutex:
                self._sweep()
        except (DockerException, RequestException) as error:
            log.warning("leftover containers cannot be removed: %s", error)

    def _sweep(self) -> None:
        ours = {"label": f"{LABEL}={self._plan.owner}"}
        for container in self._client.containers.list(all=True, filters=ours):
            if container.status == "created" or not Path(container.labels[FOLDER_LABEL]).exists():
                log.warning("removing the leftover container %s", container.name)
                container.remove(force=True)

    def _create(self, folder: AttemptFolder) -> Container:
        plan = self._plan
        return cast(
            "Container",
            self._client.containers.create(
                plan.image,
                ["python", "-m", "trainer_kit.runner", str(folder.path), "--adapter", self._adapter],
                name=self._name(folder),
                labels={LABEL: self._plan.owner, FOLDER_LABEL: str(folder.path)},
                environment=self._environment(),
                working_dir=str(self._settings.data_dir),
                user=f"{os.getuid()}:{os.getgid()}",
                mounts=[Mount(one.path, one.volume, read_only=one.is_read_only) for one in plan.volumes],
                network=plan.network,
                nano_cpus=int(plan.cpus * 1e9) or None,
                mem_limit=plan.memory_bytes or None,
                memswap_limit=plan.memory_bytes or None,
                shm_size=plan.shm_bytes,
                pids_limit=plan.processes,
                device_requests=[ALL_GPUS] if self._gpus else [],
                read_only=True,
                tmpfs={"/tmp": "exec,mode=1777"},  # noqa: S108 - of the container
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                init=True,
                auto_remove=True,
            ),
        )

    def _environment(self) -> dict[str, str]:
        """Return the runner's environment, without the variables of the service's own container."""
        mine = runner_environment(self._settings)
        return {name: value for name, value in mine.items() if name not in ("PATH", "HOSTNAME")} | {
            "HOME": str(self._settings.data_dir)
        }

    def _name(self, folder: AttemptFolder) -> str:
        return f"vision-{folder.path.parent.name}-{folder.attempt}"


class _ContainerRunner:
    """Satisfies `RunnerHandle`. The engine is polled once a second; a missing container has ended."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._polled_at = time.monotonic()
        self._is_running = True

    def is_running(self) -> bool:
        if self._is_running and time.monotonic() - self._polled_at >= POLL_SECONDS:
            self._polled_at = time.monotonic()
            try:
                self._container.reload()
                self._is_running = self._container.status in ("created", "running", "restarting", "paused")
            except NotFound:
                self._is_running = False
            except (APIError, RequestException) as error:
                log.warning("the container engine does not answer: %s", error)
        return self._is_running
