"""Local services as subprocesses: every folder of `services/` that has a `pyproject.toml`."""

import asyncio
import logging
import os
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from http_kit.children import (
    BASE,
    LIBRARIES,
    PROXIES,
    STORAGE,
    TRACING,
    ChildEnvironment,
    child_environment,
)
from vision_api.config import SERVICE_URL_VARIABLE, Settings
from vision_api.training_services.address import ServiceAddress
from vision_api.training_services.process import Program, ServiceProcess

logger = logging.getLogger(__name__)

FIRST_BACK_OFF_SECONDS = 1.0
LONGEST_BACK_OFF_SECONDS = 30.0
STABLE_AFTER_SECONDS = 60.0
KILL_SECONDS = 3.0

_FOR_SERVICES = (
    *BASE, *STORAGE, *PROXIES, *LIBRARIES, *TRACING,
    "DOCKER_*", "TRAINER_*", "WARM_IDLE_SECONDS",
)  # fmt: skip
"""Variables of every service, which has a Python environment of its own."""


def checkout_services() -> Path:
    """Return the folder `services` of the checkout that this backend runs from."""
    return Path(__file__).resolve().parents[4] / "services"


def find_programs(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Program]:
    """Return the services to start, whether their environments are set up or not."""
    services = settings.services_dir or checkout_services()
    return [
        Program(
            name=project.parent.name,
            executable=project.parent / ".venv/bin/training-service",
            folder=settings.data_dir / "services" / project.parent.name,
            environment=_environment(settings, environ, project),
        )
        for project in sorted(services.glob("*/pyproject.toml"))
    ]


def _environment(settings: Settings, environ: Mapping[str, str], project: Path) -> ChildEnvironment:
    """Return the environment of the service of a `pyproject.toml`: no secret and nothing unknown of the backend's."""
    own = f"{project.parent.name.upper().replace('-', '_')}_*"
    described = tomllib.loads(project.read_text("utf-8")).get("tool", {}).get("training-service", {})
    passed = (*settings.service_env_pass, *described.get("variables", ()))
    known = {name: value for name, value in environ.items() if not SERVICE_URL_VARIABLE.match(name)}
    values = {
        "STORAGE_URL": settings.storage_url,
        "DATASET_ROOTS": os.pathsep.join(map(str, settings.dataset_roots)),
        "DATASET_CACHE_BYTES": str(settings.dataset_cache_bytes),
        "DISK_RESERVE_BYTES": "" if settings.disk_reserve_bytes is None else str(settings.disk_reserve_bytes),
        "ENVIRONMENT": settings.environment,
        "LOG_FORMAT": settings.log_format,
        "PYTHONUNBUFFERED": "1",
        "SLOTS": str(settings.slots or ""),
        "STOP_GRACE_SECONDS": str(settings.stop_grace_seconds),
        "TRAINER_LAUNCHER": settings.trainer_launcher,
        "SERVICE_ENV_PASS": ",".join(settings.service_env_pass),
    }
    return child_environment(known, (*_FOR_SERVICES, own, *passed), values)


class LocalServices:
    """Keeps one process of each service running, and ends them all with the backend."""

    def __init__(self, programs: Sequence[Program], *, stop_within_seconds: float) -> None:
        self._programs = programs
        self._stop_within_seconds = stop_within_seconds
        self._running: dict[str, ServiceProcess] = {}
        self._listening: set[str] = set()
        self._stop_now = asyncio.Event()
        self.services = tuple(program.name for program in programs)
        self.is_ours = True

    @property
    def addresses(self) -> list[ServiceAddress]:
        """Return the addresses of the services that accept connections."""
        return [
            ServiceAddress(name, process.url, process.token)
            for name, process in self._running.items()
            if name in self._listening
        ]

    @property
    def processes(self) -> Mapping[str, ServiceProcess]:
        """Return the running processes, by the name of the service."""
        return self._running

    async def run(self) -> None:
        """Start every service, and start it again whenever it ends. Cancelling this ends none."""
        async with asyncio.TaskGroup() as tasks:
            for program in self._programs:
                tasks.create_task(self._keep_running(program), name=f"keep-{program.name}-running")

    async def close(self) -> None:
        """End every service: each pauses what it still runs; one that takes too long is killed."""
        processes = list(self._running.values())
        ends = [asyncio.create_task(process.wait()) for process in processes]
        if not ends:
            return
        for process in processes:
            process.terminate()
        stop_now = asyncio.create_task(self._stop_now.wait())
        everything = asyncio.gather(*ends)
        await asyncio.wait(
            [everything, stop_now], timeout=self._stop_within_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        stop_now.cancel()
        for process in processes:
            process.kill()
        await asyncio.wait([everything], timeout=KILL_SECONDS)
        self._running.clear()

    def stop_waiting(self) -> None:
        """Let `close` wait no longer."""
        self._stop_now.set()

    async def _keep_running(self, program: Program) -> None:
        delay, last_outcome = FIRST_BACK_OFF_SECONDS, ""
        while True:
            started = time.monotonic()
            outcome = await self._run(program)
            if time.monotonic() - started > STABLE_AFTER_SECONDS:
                delay = FIRST_BACK_OFF_SECONDS
            if outcome != last_outcome:
                logger.warning("%s service %s; next try in %.0f s", program.name, outcome, delay)
            last_outcome = outcome
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_BACK_OFF_SECONDS)

    async def _run(self, program: Program) -> str:
        """Run it once and return its outcome as text. When cancelled, the process keeps running and `close` ends it."""
        if not program.executable.exists():
            return f"has no environment ({program.executable} is missing: run `make setup`)"
        started = time.monotonic()
        try:
            process = await ServiceProcess.start(program)
        except OSError as error:
            return f"cannot be started ({error})"
        self._running[program.name] = process
        logger.info("%s service is starting at %s (pid %d)", program.name, process.url, process.pid)
        try:
            if await process.wait_until_listening():
                self._listening.add(program.name)
            status = await process.wait()
        finally:
            self._listening.discard(program.name)
        del self._running[program.name]
        return f"ended with status {status} after {time.monotonic() - started:.0f} s"
