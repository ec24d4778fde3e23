"""Services as subprocesses: real ones, which speak the contract."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from support.service_folders import add_folder, add_service
from support.waiting import until

from vision_api.config import Settings
from vision_api.training_services import InstanceRegistry
from vision_api.training_services.client import ConnectionPools
from vision_api.training_services.local import LocalServices, find_programs

BACKEND = """
import asyncio, sys
from pathlib import Path
from vision_api.config import Settings
from vision_api.training_services.local import LocalServices, find_programs
settings = Settings(data_dir=Path(sys.argv[1]), services_dir=Path(sys.argv[2]))
asyncio.run(LocalServices(find_programs(settings), stop_within_seconds=1).run())
"""


@pytest.fixture
def services_dir(tmp_path: Path) -> Path:
    return tmp_path / "services"


@pytest.fixture
def settings(tmp_path: Path, services_dir: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", services_dir=services_dir)


@asynccontextmanager
async def running(settings: Settings, *, stop_within_seconds: float = 10.0) -> AsyncIterator[LocalServices]:
    """The services of the folder, started; ended at the end."""
    local = LocalServices(find_programs(settings), stop_within_seconds=stop_within_seconds)
    keeping = asyncio.create_task(local.run())
    try:
        yield local
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await local.close()


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def test_every_folder_with_an_environment_becomes_an_instance(settings: Settings, services_dir: Path) -> None:
    add_service(services_dir, "alpha")
    add_service(services_dir, "beta")
    (services_dir / "notes").mkdir()
    async with running(settings) as local:
        await until(lambda: len(local.addresses) == 2)
        registry = InstanceRegistry(local, ConnectionPools())
        await registry.refresh()
        await registry._connections.close()

    assert {instance.framework for instance in registry.instances} == registry.frameworks == {"alpha", "beta"}


async def test_a_folder_without_an_environment_is_logged_and_stops_no_other_service(
    settings: Settings, services_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_folder(services_dir, "alpha")
    add_service(services_dir, "beta")
    async with running(settings) as local:
        await until(lambda: len(local.addresses) == 1)

    assert local.services == ("alpha", "beta")
    assert "alpha service has no environment" in caplog.text
    assert "make setup" in caplog.text


async def test_a_program_that_cannot_run_is_logged(
    settings: Settings, services_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_folder(services_dir, "alpha", "#!/no/such/interpreter\n")
    async with running(settings):
        await until(lambda: "alpha service cannot be started" in caplog.text)


async def test_a_killed_service_is_started_again(settings: Settings, services_dir: Path) -> None:
    add_service(services_dir, "alpha")
    async with running(settings) as local:
        await until(lambda: local.addresses)
        first = local.processes["alpha"].pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: not local.addresses)
        await until(lambda: local.addresses)

        assert local.processes["alpha"].pid != first


async def test_closing_leaves_nothing_running(settings: Settings, services_dir: Path) -> None:
    add_service(services_dir, "alpha")
    add_service(services_dir, "beta")
    async with running(settings) as local:
        await until(lambda: len(local.addresses) == 2)
        process_ids = [process.pid for process in local.processes.values()]

    assert not any(map(is_alive, process_ids))
    assert not (settings.data_dir / "services/alpha/ended").exists(), "asked by SIGTERM, not by the pipe"


async def test_a_service_that_does_not_listen_is_killed(settings: Settings, services_dir: Path) -> None:
    add_service(services_dir, "alpha", "deaf")
    async with running(settings, stop_within_seconds=0.5) as local:
        await until(lambda: local.addresses)
        process_id = local.processes["alpha"].pid

    assert not is_alive(process_id)


async def test_haste_does_not_wait_for_it(settings: Settings, services_dir: Path) -> None:
    add_service(services_dir, "alpha", "deaf")
    async with asyncio.timeout(20), running(settings, stop_within_seconds=600) as local:
        await until(lambda: local.addresses)
        local.stop_waiting()


async def test_a_service_ends_when_the_backend_is_killed(settings: Settings, services_dir: Path) -> None:
    add_service(services_dir, "alpha")
    folder = settings.data_dir / "services/alpha"
    backend = await asyncio.create_subprocess_exec(sys.executable, "-c", BACKEND, settings.data_dir, services_dir)
    await until((folder / "pid").exists, within_seconds=60)  # two processes import everything first
    backend.kill()
    await backend.wait()

    await until((folder / "ended").exists)
    await until(lambda: not is_alive(int((folder / "pid").read_text())))


async def test_a_service_gets_its_settings_and_none_of_our_secrets(
    settings: Settings, services_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SECRET", "a secret")
    monkeypatch.setenv("TIMM_SERVICE_URL", "http://elsewhere")
    monkeypatch.setenv("HF_HOME", "/models")
    add_service(services_dir, "alpha")
    async with running(settings) as local:
        await until(lambda: local.addresses)

    names = set((settings.data_dir / "services/alpha/environment").read_text().splitlines())
    assert {"HOST", "PORT", "SERVICE_TOKEN", "DATA_DIR", "STORAGE_URL", "DATASET_ROOTS", "SLOTS", "HF_HOME"} <= names
    assert not {"JWT_SECRET", "TIMM_SERVICE_URL"} & names


async def test_its_log_is_passed_on_to_the_end(
    settings: Settings, services_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    huge_line = "head -c 5000000 /dev/zero | tr '\\0' x; echo"
    add_folder(services_dir, "alpha", f"#!/bin/sh\necho WARNING hot\n{huge_line}\necho after it\nsleep 30\n")
    async with running(settings, stop_within_seconds=0.5):
        await until(lambda: "after it" in caplog.text)

    levels = {record.getMessage(): record.levelname for record in caplog.records}
    assert levels["[alpha] hot"] == "WARNING"
    assert levels["[alpha] after it"] == "INFO"
