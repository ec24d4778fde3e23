"""Resumable uploads over HTTP: the protocol's rules one by one. `test_client` has a real client and a real kill."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from support.common import fields_of, problem_of
from support.dataset_api import DatasetApi, coins
from support.tus_client import BYTES, TUS, URL, begun, create, head, metadata, send

from vision_api.config import Settings
from vision_api.datasets.uploads.tus import use_cases, workflows
from vision_api.models import Dataset
from vision_api.platform import platform_of


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_upload_bytes": 10 * 1024**2})


async def count_datasets(app: FastAPI) -> int:
    async with platform_of(app).database.snapshot() as session:
        return (await session.execute(select(func.count()).select_from(Dataset))).scalar_one()


async def test_anyone_may_ask_for_the_servers_extensions(client: httpx.AsyncClient) -> None:
    response = await client.options(URL)

    assert response.status_code == 204
    assert response.headers["Tus-Version"] == "1.0.0"
    assert response.headers["Tus-Extension"] == "creation,termination,expiration"
    assert response.headers["Tus-Max-Size"] == str(10 * 1024**2)


async def test_a_browser_may_send_and_read_the_headers(client: httpx.AsyncClient) -> None:
    origin = {"Origin": "http://localhost:3000"}
    for method in ("HEAD", "PATCH", "POST", "DELETE"):
        asked = {
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,tus-resumable,upload-length,upload-metadata,"
            "upload-offset",
        }
        assert (await client.options(f"{URL}/x", headers=origin | asked)).status_code == 200
    exposed = (await client.get("/health", headers=origin)).headers["Access-Control-Expose-Headers"]
    assert {"Location", "Tus-Version", "Upload-Offset", "Upload-Dataset"} <= set(exposed.split(", "))


async def test_an_archive_in_pieces_becomes_a_data_set(
    api: DatasetApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(workflows, "PART_BYTES", 100)
    content = coins()
    url = await begun(api, content)
    for start in range(0, len(content), 333):
        response = await send(api, url, start, content[start : start + 333])
        assert response.status_code == 204, response.text
        assert int(response.headers["Upload-Offset"]) == min(start + 333, len(content))
        assert (await head(api, url)).headers["Upload-Offset"] == response.headers["Upload-Offset"]

    reported = (await api.client.get(url, headers=api.headers)).json()
    assert (reported["offset"], reported["version"]) == (len(content), 1)
    assert response.headers["Upload-Dataset"] == str(reported["dataset_id"])
    dataset = (await api.get(f"/{reported['dataset_id']}")).json()
    assert (dataset["name"], dataset["status"], dataset["size_bytes"]) == ("coins", "processing", len(content))
    assert dataset["progress"] == {"stage": "waiting", "percent": None}
    await api.process()
    dataset = (await api.get(f"/{reported['dataset_id']}")).json()
    assert (dataset["status"], dataset["num_images"], dataset["progress"]) == ("ready", 5, None)
    assert dataset["digest"] == (await api.ready(content, name="at once"))["digest"]


async def test_a_new_version_and_a_project_are_named_in_the_metadata(api: DatasetApi) -> None:
    project = (await api.client.post("/api/v1/projects", json={"name": "p"}, headers=api.headers)).json()
    first = coins()
    url = await begun(api, first, filename="first.zip", project_id=project["id"], filetype="application/zip")
    dataset_id = int((await send(api, url, 0, first)).headers["Upload-Dataset"])
    second = coins(6)
    url = await begun(api, second, dataset_id=dataset_id)
    response = await send(api, url, 0, second)

    assert (response.headers["Upload-Dataset"], response.headers["Upload-Dataset-Version"]) == (str(dataset_id), "2")
    await api.process()
    dataset = (await api.get(f"/{dataset_id}")).json()
    assert (dataset["name"], dataset["project_id"]) == ("first.zip", project["id"])
    assert (dataset["version"], dataset["num_images"]) == (2, 6)


async def test_a_repeated_end_creates_nothing_twice(api: DatasetApi, app: FastAPI) -> None:
    content = coins()
    url = await begun(api, content)
    first = await send(api, url, 0, content)
    again = await send(api, url, len(content), b"")

    assert again.status_code == 204
    assert again.headers["Upload-Dataset"] == first.headers["Upload-Dataset"]
    problem_of(await send(api, url, 0, content), 409, "upload_offset_mismatch")
    assert await count_datasets(app) == 1


@pytest.mark.parametrize("length", ["", "0", "-1", "1e3", "٣", "9" * 30])
async def test_a_length_must_be_a_number(api: DatasetApi, length: str) -> None:
    response = await create(api, length.encode() if not length.isascii() else length)
    assert fields_of(problem_of(response, 422, "validation_failed")) == ["Upload-Length"]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("", "Upload-Metadata.name"),
        ("name", "Upload-Metadata.name"),
        ("name ???", "Upload-Metadata.name"),
        ("name /w==", "Upload-Metadata.name"),
        ("name AA==", "Upload-Metadata"),
        (metadata(name="a") + "," + metadata(name="b"), "Upload-Metadata"),
        (metadata(name="a", project_id="x"), "Upload-Metadata.project_id"),
        (metadata(name="a", dataset_id="1"), "Upload-Metadata.name"),
        (metadata(name="a", dataset="1"), "Upload-Metadata.dataset"),
        (metadata(dataset_id="0"), "Upload-Metadata"),
        (metadata(name="x" * 7000), "Upload-Metadata"),
    ],
)
async def test_wrong_metadata_is_refused_by_field(api: DatasetApi, header: str, field: str) -> None:
    assert fields_of(problem_of(await create(api, 10, header), 422, "validation_failed")) == [field]


async def test_what_is_too_large_is_refused_at_once(api: DatasetApi) -> None:
    problem_of(await create(api, 10 * 1024**2 + 1), 413, "too_large")
    url = await begun(api, b"12345")

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"123", b"456"):
            yield piece

    problem_of(await send(api, url, 0, b"123456"), 413, "too_large")
    problem_of(await send(api, url, 0, pieces()), 413, "too_large")
    assert (await head(api, url)).headers["Upload-Offset"] == "0"


async def test_requests_that_break_the_protocol_are_refused(api: DatasetApi) -> None:
    url = await begun(api, b"12345")
    answer = await api.client.patch(url, content=b"1", headers=api.headers | BYTES | {"Upload-Offset": "0"})
    problem_of(answer, 412, "tus_version_unsupported")
    assert answer.headers["Tus-Version"] == "1.0.0"
    problem_of(await send(api, url, 0, b"1", **{"Content-Type": "text/plain"}), 415, "unsupported_media_type")
    problem_of(await send(api, url, 3, b"1"), 409, "upload_offset_mismatch")
    assert fields_of(problem_of(await send(api, url, "x", b"1"), 422, "validation_failed")) == ["Upload-Offset"]
    problem_of(await api.client.post(URL, headers=TUS), 401, "token_invalid")


async def test_what_is_not_there_or_not_yours_is_not_found(api: DatasetApi, stranger: DatasetApi) -> None:
    mine = await begun(api, b"12345")
    for asker, url in ((stranger, mine), (api, f"{URL}/1"), (api, f"{URL}/00000000-0000-0000-0000-000000000000")):
        assert (await head(asker, url)).status_code == 404
        problem_of(await asker.client.get(url, headers=asker.headers), 404, "not_found")
        problem_of(await send(asker, url, 0, b"12345"), 404, "not_found")
        problem_of(await asker.client.delete(url, headers=asker.headers | TUS), 404, "not_found")
    dataset = await api.ready(coins())
    problem_of(await create(stranger, 5, metadata(dataset_id=dataset["id"])), 404, "not_found")
    problem_of(await create(stranger, 5, metadata(name="a", project_id=999)), 404, "not_found")


async def test_the_same_key_begins_one_upload(api: DatasetApi) -> None:
    first = await create(api, 5, **{"Idempotency-Key": "k"})
    second = await create(api, 5, **{"Idempotency-Key": "k"})

    assert first.headers["Location"] == second.headers["Location"]


async def test_open_uploads_of_a_user_are_bounded(
    api: DatasetApi, stranger: DatasetApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_cases, "MOST_OPEN", 2)
    content = coins()
    url = await begun(api, content)
    await begun(api, content)

    problem = problem_of(await create(api, len(content)), 429, "quota_exceeded")

    (error,) = problem["errors"]
    assert (error["code"], error["params"]) == ("quota_exceeded", {"limit": 2, "used": 2})
    assert "Complete or delete" in problem["detail"]
    assert (await create(stranger, len(content))).status_code == 201
    assert (await send(api, url, 0, content)).status_code == 204
    assert (await create(api, len(content))).status_code == 201  # a complete one makes room


async def test_parts_of_an_upload_are_bounded(api: DatasetApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_cases, "MOST_PARTS", 3)
    content = coins()
    url = await begun(api, content)
    for offset in range(3):
        assert (await send(api, url, offset, content[offset : offset + 1])).status_code == 204

    problem = problem_of(await send(api, url, 3, content[3:]), 429, "quota_exceeded")

    assert problem["errors"][0]["params"] == {"limit": 3, "used": 3}
    assert (await api.client.delete(url, headers=api.headers | TUS)).status_code == 204
