"""Data sets from places that the server can read."""

import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from support.common import fields_of, problem_of
from support.dataset_api import URL, DatasetApi, coins

from data_kit import ArchiveLimits, SplitOptions
from vision_api.config import Settings
from vision_api.datasets.processing import prepare
from vision_api.datasets.processing.processor import DatasetProcessor
from vision_api.models import GarbageObject
from vision_api.platform import platform_of


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "allowed").mkdir()
    return settings.model_copy(
        update={"dataset_roots": (tmp_path / "allowed",), "import_prefixes": ("s3://shelf/sets",)}
    )


@pytest.fixture
def processor(app: FastAPI, tmp_path: Path) -> DatasetProcessor:
    state = platform_of(app)
    return DatasetProcessor(
        state.database, state.store, tmp_path / "work", ArchiveLimits(), preparing_here,
        import_roots=state.settings.dataset_roots,
    )  # fmt: skip


async def preparing_here(
    archive: Path, folder: Path, limits: ArchiveLimits, report: prepare.ReportProgress, splits: SplitOptions | None
) -> prepare.PrepareResult:
    return prepare.prepare_archive(archive, folder, limits, report)


def unpacked(folder: Path, content: bytes) -> Path:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        packed.extractall(folder)
    return folder


async def ask(api: DatasetApi, uri: str, path: str = "/import", **fields: Any) -> httpx.Response:
    body = {"uri": uri} | (fields or ({"name": "coins"} if path == "/import" else {}))
    return await api.client.post(URL + path, json=body, headers=api.headers)


async def imported(api: DatasetApi, uri: str) -> dict[str, Any]:
    response = await ask(api, uri)
    assert response.status_code == 202, response.text
    await api.process()
    dataset: dict[str, Any] = (await api.get(f"/{response.json()['id']}")).json()
    return dataset


async def codes(api: DatasetApi, dataset: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in (await api.get(f"/{dataset['id']}/findings")).json()]


async def test_a_folder_becomes_what_its_archive_would(api: DatasetApi, app: FastAPI, tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "allowed/a set", coins())
    before = sorted(folder.rglob("*"))

    asked = await ask(api, folder.as_uri())
    waiting = asked.json()
    await api.process()

    assert asked.headers["Location"] == f"{URL}/{waiting['id']}"
    assert (waiting["status"], waiting["progress"]["stage"]) == ("processing", "waiting")
    dataset = (await api.get(f"/{waiting['id']}")).json()
    assert (dataset["status"], dataset["imported_from"]) == ("ready", folder.as_uri())
    assert dataset["digest"] == (await api.ready(coins()))["digest"]
    assert sorted(folder.rglob("*")) == before
    async with platform_of(app).database.snapshot() as session:
        assert folder.as_uri() not in set(await session.scalars(select(GarbageObject.uri)))


async def test_an_archive_and_a_new_version_are_imported(api: DatasetApi, tmp_path: Path) -> None:
    archive = tmp_path / "allowed/a.zip"
    archive.write_bytes(coins())
    dataset = await imported(api, archive.as_uri())
    folder = unpacked(tmp_path / "allowed/b", coins(6))

    response = await ask(api, folder.as_uri(), f"/{dataset['id']}/versions/import")
    await api.process()

    assert (response.status_code, response.json()["version"]) == (202, 2)
    dataset = (await api.get(f"/{dataset['id']}")).json()
    assert (dataset["status"], dataset["num_images"]) == ("ready", 6)
    assert archive.exists()


async def test_the_same_key_imports_once(api: DatasetApi, tmp_path: Path) -> None:
    body = {"uri": unpacked(tmp_path / "allowed/a", coins()).as_uri(), "name": "coins"}
    headers = api.headers | {"Idempotency-Key": "k"}
    answers = [await api.client.post(f"{URL}/import", json=body, headers=headers) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert len((await api.get()).json()) == 1


async def test_what_lies_elsewhere_is_refused(api: DatasetApi, tmp_path: Path) -> None:
    (tmp_path / "allowed/out").symlink_to("/etc")
    for uri in (
        "file:///etc", f"{(tmp_path / 'allowed').as_uri()}/../x", (tmp_path / "allowed/out").as_uri(),
        f"file://elsewhere{tmp_path}/allowed/a", "file:allowed", "file:///%00", "/etc", "http://x/y", "x",
        "s3://shelf", "s3://shelf/setsandmore", "s3://shelf/sets/../more", "s3://shelf/sets/a?b", "s3://other/sets",
        "gs://shelf/sets", "s3:///sets",
    ):  # fmt: skip
        problem = problem_of(await ask(api, uri), 422, "dataset_path_not_allowed")
        assert fields_of(problem) == ["uri"], uri
    assert (await api.get()).json() == []


async def test_a_link_that_leads_out_is_found(api: DatasetApi, tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "allowed/a", coins())
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "set/images/x.png").symlink_to(tmp_path / "secret.png")

    dataset = await imported(api, folder.as_uri())

    assert dataset["status"] == "invalid"
    assert await codes(api, dataset) == ["link_leaves_root"]


async def test_a_folder_that_has_become_a_link_since_is_not_followed(api: DatasetApi, tmp_path: Path) -> None:
    outside = unpacked(tmp_path / "outside", coins())
    folder = tmp_path / "allowed/a"
    folder.mkdir()
    dataset = (await ask(api, folder.as_uri())).json()
    folder.rmdir()
    folder.symlink_to(outside)

    await api.process()

    assert (await api.get(f"/{dataset['id']}")).json()["status"] == "invalid"
    assert await codes(api, dataset) == ["dataset_path_not_allowed"]


async def test_what_is_not_there_or_empty_is_found(api: DatasetApi, tmp_path: Path) -> None:
    (tmp_path / "allowed/empty").mkdir()

    missing = await imported(api, (tmp_path / "allowed/missing").as_uri())
    empty = await imported(api, (tmp_path / "allowed/empty").as_uri())

    assert await codes(api, missing) == ["import_not_found"]
    assert await codes(api, empty) == ["dataset_empty"]


async def test_rights_are_those_of_an_upload(api: DatasetApi, stranger: DatasetApi, tmp_path: Path) -> None:
    uri = (tmp_path / "allowed").as_uri()
    dataset = await api.ready(coins())

    problem_of(await ask(stranger, uri, f"/{dataset['id']}/versions/import"), 404, "not_found")
    problem_of(await ask(stranger, uri, name="a", project_id=999), 404, "not_found")
    assert fields_of(problem_of(await ask(api, uri, name="a", color="red"), 422, "validation_failed")) == ["color"]
