"""Outcomes of a training in local mode when its service, or the backend, ends: with the kit's real service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from PIL import Image
from support.fake_service import PYTHON
from support.service_folders import add_folder
from support.waiting import until

from vision_api.config import Settings
from vision_api.training_services import InstanceRegistry
from vision_api.training_services.client import ConnectionPools
from vision_api.training_services.local import LocalServices, find_programs
from vision_contracts import DatasetRef, HeldJob, JobSpec, TaskType, TrainingParams

FAKE = f"#!/bin/sh\nexec {PYTHON} -m trainer_kit.server trainer_kit.testing.fake_adapter:adapter\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One service of the kit's fake framework, and two pictures to train on."""
    add_folder(tmp_path / "services", "fake", FAKE)
    for split in ("train", "val"):
        for name, color in {"red": (200, 0, 0), "blue": (0, 0, 200)}.items():
            folder = tmp_path / "datasets" / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8), color).save(folder / "0.png")
    return Settings(data_dir=tmp_path / "data", services_dir=tmp_path / "services", dataset_roots=(tmp_path,))


class Local:
    """The services and the registry of one backend."""

    def __init__(self, settings: Settings) -> None:
        self.services = LocalServices(find_programs(settings), stop_within_seconds=20)
        self.registry = InstanceRegistry(self.services, ConnectionPools())
        self._settings = settings

    async def held(self) -> list[HeldJob]:
        [instance] = self.registry.instances
        return await self.registry.client(instance).held_jobs()

    async def train(self) -> UUID:
        """Start a training that does not end by itself, and wait for its first checkpoint."""
        job_uid = uuid4()
        spec = JobSpec(
            job_uid=job_uid,
            attempt=1,
            framework="fake",
            model_name="linear",
            task_type=TaskType.IMAGE_CLASSIFICATION,
            dataset=DatasetRef(uri=(self._settings.dataset_roots[0] / "datasets").as_uri()),
            output_uri=f"{self._settings.storage_url}/jobs/{job_uid}/attempts/1",
            params=TrainingParams(epochs=10_000, batch_size=1, learning_rate=0.1, optimizer="sgd"),
            hyperparameters={"step_seconds": 0.02},
        )
        [instance] = self.registry.instances
        await self.registry.client(instance).start(spec)
        await self.wait_for_event("checkpoint", job_uid)
        return job_uid

    async def wait_for_event(self, kind: str, job_uid: UUID, after: int = 0) -> None:
        [instance] = self.registry.instances
        async with asyncio.timeout(60):
            async for event in self.registry.client(instance).events(job_uid, 1, after):
                if event is not None and event.body.type == kind:
                    return


@asynccontextmanager
async def local_mode(settings: Settings) -> AsyncIterator[Local]:
    """A backend's services side that has found its service; ended in order."""
    local = Local(settings)
    keeping = asyncio.create_task(local.registry.run())
    try:
        await until(lambda: local.registry.instances, within_seconds=60)
        yield local
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await local.registry.close()


async def test_a_runner_outlives_its_service_and_is_adopted(settings: Settings) -> None:
    async with local_mode(settings) as local:
        job_uid = await local.train()
        [before] = local.registry.instances

        local.services.processes["fake"].close_pipe()  # all that a service sees of our being killed
        await until(lambda: not local.registry.instances, within_seconds=30)
        await until(lambda: local.registry.instances, within_seconds=60)

        [after] = local.registry.instances
        assert after.instance_id == before.instance_id
        assert after.ready.boot_id != before.ready.boot_id
        [held] = await local.held()
        assert (held.job_uid, held.state) == (job_uid, "running")
        await local.wait_for_event("checkpoint", job_uid, after=held.last_seq)


async def test_an_orderly_end_pauses_what_trains(settings: Settings) -> None:
    async with local_mode(settings) as local:
        job_uid = await local.train()

    async with local_mode(settings) as local:
        [held] = await local.held()
        assert (held.job_uid, held.state, held.ended_as) == (job_uid, "ended", "paused")


async def test_haste_pauses_it_too(settings: Settings) -> None:
    async with local_mode(settings) as local:
        job_uid = await local.train()
        await local.registry.stop_waiting()

        await local.wait_for_event("paused", job_uid)
