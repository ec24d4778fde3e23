"""Resolution of the data set that a job names to the archive that a training service fetches."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from support.dataset_api import DatasetApi, coins

from data_kit import extract_archive, open_dataset
from vision_api.datasets.resolution import ResolvedDataset, resolve_for_job
from vision_api.errors import Invalid
from vision_api.models import Project, ProjectMember
from vision_api.platform import platform_of
from vision_contracts import DatasetFormat, TaskType


async def resolve(app: FastAPI, api: DatasetApi, dataset_id: int, **changes: Any) -> ResolvedDataset:
    wanted = {"version": None, "project_id": 1, "task_type": TaskType.OBJECT_DETECTION} | changes
    async with platform_of(app).database.snapshot() as session:
        return await resolve_for_job(session, api.user, dataset_id=dataset_id, **wanted)


async def refused_field(app: FastAPI, api: DatasetApi, dataset_id: int, **changes: Any) -> str:
    with pytest.raises(Invalid) as raised:
        await resolve(app, api, dataset_id, **changes)
    assert raised.value.errors is not None
    return raised.value.errors[0].field


async def test_a_job_gets_an_archive_that_opens_as_the_data_set(app: FastAPI, api: DatasetApi, tmp_path: Path) -> None:
    dataset = await api.ready(coins())

    resolved = await resolve(app, api, dataset["id"])

    assert (resolved.version, resolved.ref.format) == (1, DatasetFormat.YOLO)
    assert resolved.ref.digest == dataset["digest"]
    platform_of(app).store.get_file(resolved.ref.uri, tmp_path / "a.zip")
    extract_archive(tmp_path / "a.zip", tmp_path / "out")
    opened = open_dataset(tmp_path / "out", format=resolved.ref.format, task_type=TaskType.OBJECT_DETECTION)
    assert opened.class_names == ("coin",)


async def test_without_a_number_the_newest_ready_version_is_taken(app: FastAPI, api: DatasetApi) -> None:
    dataset = await api.ready(coins())
    await api.upload_version(dataset["id"], coins(7))
    await api.upload_version(dataset["id"], b"broken")
    await api.process()

    assert (await resolve(app, api, dataset["id"])).version == 2
    assert (await resolve(app, api, dataset["id"], version=1)).version == 1
    assert await refused_field(app, api, dataset["id"], version=3) == "dataset_version"


async def test_whether_the_seed_decides_what_is_validated_is_known(app: FastAPI, api: DatasetApi) -> None:
    dataset = await api.ready(coins())
    await api.upload_version(dataset["id"], coins(), val_fraction="0.4")
    await api.process()

    assert (await resolve(app, api, dataset["id"], version=1)).is_val_split_off
    assert not (await resolve(app, api, dataset["id"], version=2)).is_val_split_off


async def test_what_cannot_be_used_is_refused_by_field(app: FastAPI, api: DatasetApi, stranger: DatasetApi) -> None:
    waiting = (await api.upload(coins())).json()
    assert await refused_field(app, api, waiting["id"]) == "dataset_id"
    await api.process()

    assert await refused_field(app, api, waiting["id"], task_type=TaskType.POSE_ESTIMATION) == "dataset_id"
    assert await refused_field(app, api, waiting["id"] + 1) == "dataset_id"
    assert await refused_field(app, stranger, waiting["id"]) == "dataset_id"


async def test_a_data_set_of_one_project_is_not_for_another(app: FastAPI, api: DatasetApi) -> None:
    async with platform_of(app).database.transaction() as session:
        project = Project(name="coins")
        session.add(project)
        await session.flush()
        session.add(ProjectMember(project_id=project.id, user_id=api.user.id, role="owner"))
    dataset = await api.ready(coins(), name="shared", project_id=project.id)

    assert (await resolve(app, api, dataset["id"], project_id=project.id)).version == 1
    assert await refused_field(app, api, dataset["id"], project_id=project.id + 1) == "dataset_id"
