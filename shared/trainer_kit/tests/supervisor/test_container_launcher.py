"""Attempts in containers of a real engine: the same conformance as in processes, and what only containers have."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import docker
import psutil
import pytest
from docker.errors import DockerException

from trainer_kit.supervisor.container_launcher import FOLDER_LABEL
from trainer_kit.testing.conformance import ServiceConformance
from trainer_kit.testing.fake_adapter import ADAPTER_PATH
from trainer_kit.testing.service_process import ServiceProcess
from trainer_kit.testing.specs import bodies, changed
from trainer_kit.testing.waiting import wait_until
from vision_contracts import Failed, JobSpec

ROOT = Path(__file__).parents[4]
IMAGE = "vision-trainer-kit-test"
DOCKERFILE = b"""
FROM python:3.12-slim
WORKDIR /app
ENV UV_NO_CACHE=1
COPY scripts/setup.py scripts/
COPY shared shared
RUN python scripts/setup.py shared/trainer_kit
ENV PATH=/app/shared/trainer_kit/.venv/bin:$PATH
"""


@contextmanager
def _engine() -> Iterator[Any]:
    with closing(docker.from_env()) as client:
        yield client


def _is_possible() -> bool:
    try:
        with _engine() as client:
            return client.ping() and os.geteuid() == 0
    except DockerException:
        return False


class ContainerService(ServiceProcess):
    """A service on the host; what it starts runs in containers, whose processes have other numbers here."""

    def _pid(self, spec: JobSpec, role: str) -> int:
        found = self.folder(spec).find_process("runner" if role == "runner" else "trainer")
        assert found is not None
        for pid in psutil.pids():
            with suppress(OSError):
                inner = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "NSpid" in line)
                if os.readlink(f"/proc/{pid}/ns/pid") == found.space and inner.split()[-1] == str(found.pid):
                    return pid
        return 2**30

    def close(self) -> None:
        super().close()
        with _engine() as client:
            for container in client.containers.list(all=True, filters={"label": FOLDER_LABEL}):
                if container.labels[FOLDER_LABEL].startswith(str(self.data_dir)):
                    container.remove(force=True)


@pytest.mark.compose
class TestContainers(ServiceConformance):
    adapter_path = ADAPTER_PATH
    model_name = "hub/linear"
    learning_rate = 0.5
    hyperparameters: ClassVar[dict[str, Any]] = {"step_seconds": 0.01}

    @pytest.fixture(scope="class")
    @classmethod
    def volume(cls) -> Iterator[Any]:
        if not _is_possible():
            pytest.skip("there is no container engine here whose volumes this user may look into")
        build = ["docker", "build", "-q", "--network", "host", "-t", IMAGE, "-f", "-", str(ROOT)]
        subprocess.run(build, input=DOCKERFILE, check=True, capture_output=True)
        with _engine() as client:
            volume = client.volumes.create(f"vision-test-{uuid4()}")
            yield volume
            volume.remove(force=True)

    @pytest.fixture(scope="class")
    @classmethod
    def dataset_path(cls, volume: Any) -> Path:
        return cls.make_dataset(Path(volume.attrs["Mountpoint"]))

    @pytest.fixture(scope="class")
    @classmethod
    def service(cls, volume: Any, dataset_path: Path) -> Iterator[ServiceProcess]:
        place = volume.attrs["Mountpoint"]
        service = ContainerService(
            cls.adapter_path, Path(place) / "service/data", [dataset_path.parent], SLOTS="1",
            TRAINER_LAUNCHER="container", TRAINER_IMAGE=IMAGE, TRAINER_VOLUMES=f"{volume.name}:{place}",
            TRAINER_NETWORK="none", TRAINER_CPUS="1", TRAINER_MEMORY_BYTES=str(400 * 2**20),
        )  # fmt: skip
        service.data_dir.parent.mkdir(parents=True)
        try:
            yield service.start()
        finally:
            service.close()

    def test_container_is_bounded_and_removed_afterwards(self, service: ServiceProcess, template: JobSpec) -> None:
        spec = service.begin_ok(changed(template, job_uid=uuid4(), epochs=10_000))
        service.wait_for(spec, "metrics")
        name = f"vision-{spec.job_uid}-1"
        with _engine() as client:
            container = client.containers.get(name)
            written = container.exec_run(["touch", "/app/x"])
        host = container.attrs["HostConfig"]
        assert (host["NanoCpus"], host["Memory"], host["ReadonlyRootfs"]) == (10**9, 400 * 2**20, True)
        assert {mount["Type"] for mount in container.attrs["Mounts"]} == {"volume"}
        assert not any("TOKEN" in variable for variable in container.attrs["Config"]["Env"])
        assert written.exit_code != 0
        service.stop(spec)
        assert list(service.follow(spec))[-1].is_terminal
        wait_until(lambda: name not in _names(), "the removal of the container")

    def test_runner_that_is_killed_ends_as_in_a_process(self, service: ServiceProcess, template: JobSpec) -> None:
        spec = service.begin_ok(changed(template, job_uid=uuid4(), epochs=10_000))
        service.wait_for(spec, "metrics")
        with _engine() as client:
            client.containers.get(f"vision-{spec.job_uid}-1").kill()
        failures = bodies(list(service.follow(spec)), Failed)
        assert [failure.reason for failure in failures] == ["trainer_killed"]
        assert service.ready().free_slots == 1


def _names() -> list[str]:
    with _engine() as client:
        return [container.name for container in client.containers.list(all=True)]
