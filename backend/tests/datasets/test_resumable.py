"""Resumable uploads over HTTP: the protocol's rules one by one. `test_tus_client` has a real client and a real kill."""

import base64
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from dataset_api import DatasetApi, coins
from fastapi import FastAPI
from sqlalchemy import func, select, update
from support import fields_of, problem_of

from data_kit import StorageError
from vision_api.config import Settings
from vision_api.datasets.resumable import receiving
from vision_api.kit.clock import utc_now
from vision_api.models import Dataset, GarbageObject, ResumableUpload
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION
from vision_api.training_jobs.loops.sweep import SweepLoop

URL = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_upload_bytes": 10 * 1024**2})


def metadata(**fields: Any) -> str:
    return ",".join(f"{name} {base64.b64encode(str(value).encode()).decode()}" for name, value in fields.items())


async def create(api: DatasetApi, length: object, header: str | None = None, **headers: str) -> httpx.Response:
    header = metadata(name="coins", filename="a.zip") if header is None else header
    asked = {"Upload-Length": str(length), "Upload-Metadata": header} | headers
    return await api.client.post(URL, headers=api.headers | TUS | asked)


async def begun(api: DatasetApi, content: bytes, **fields: Any) -> str:
    created = await create(api, len(content), metadata(**fields) if fields else None)
    assert created.status_code == 201, created.text
    assert created.headers["Tus-Resumable"] == "1.0.0"
    location: str = created.headers["Location"]
    return location


async def send(api: DatasetApi, url: str, offset: object, content: Any, **headers: str) -> httpx.Response:
    asked = {"Upload-Offset": str(offset)} | BYTES | headers
    return await api.client.patch(url, content=content, headers=api.headers | TUS | asked)


async def head(api: DatasetApi, url: str) -> httpx.Response:
    return await api.client.head(url, headers=api.headers | TUS)


async def count_datasets(app: FastAPI) -> int:
    async with app.state.database.snapshot() as session:
        return (await session.execute(select(func.count()).select_from(Dataset))).scalar_one()


async def test_what_the_server_can_do_is_told_to_anyone(client: httpx.AsyncClient) -> None:
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
    monkeypatch.setattr(receiving, "PART_BYTES", 100)
    content = coins()
    url = await begun(api, content)
    for start in range(0, len(content), 333):
        response = await send(api, url, start, content[start : start + 333])
        assert response.status_code == 204, response.text
        assert int(response.headers["Upload-Offset"]) == min(start + 333, len(content))
        assert (await head(api, url)).headers["Upload-Offset"] == response.headers["Upload-Offset"]

    told = (await api.client.get(url, headers=api.headers)).json()
    assert (told["offset"], told["version"]) == (len(content), 1)
    assert response.headers["Upload-Dataset"] == str(told["dataset_id"])
    dataset = (await api.get(f"/{told['dataset_id']}")).json()
    assert (dataset["name"], dataset["status"], dataset["size_bytes"]) == ("coins", "processing", len(content))
    assert dataset["progress"] == {"stage": "waiting", "percent": None}
    await api.process()
    dataset = (await api.get(f"/{told['dataset_id']}")).json()
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


async def test_of_two_requests_at_once_the_later_one_goes_on(
    api: DatasetApi, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier one has stored a part of other bytes at the same offset: it must not count."""
    monkeypatch.setattr(receiving, "PART_BYTES", 50)
    content = coins()
    url = await begun(api, content)
    answers: list[httpx.Response] = []

    async def overtaken() -> AsyncIterator[bytes]:
        yield content[:50]
        answers.append(await send(api, url, 50, content[50:120]))
        yield b"x" * 40
        yield b"x" * 40

    problem_of(await send(api, url, 0, overtaken()), 409, "upload_taken_over")
    assert answers[0].headers["Upload-Offset"] == "120"
    assert (await send(api, url, 120, content[120:])).status_code == 204
    await api.process()

    (dataset,) = (await api.get()).json()
    assert dataset["status"] == "ready"
    assert await count_datasets(app) == 1


async def test_what_came_before_a_cut_is_kept(api: DatasetApi, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PART_BYTES", 100)
    content = coins()
    url = await begun(api, content)
    messages = [
        {"type": "http.request", "body": content[:130], "more_body": True},
        {"type": "http.request", "body": content[130:177], "more_body": True},
        {"type": "http.disconnect"},
    ]
    headers = api.headers | TUS | BYTES | {"Upload-Offset": "0", "Host": "test"}
    scope = {
        "type": "http", "method": "PATCH", "path": url, "raw_path": url.encode(), "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "http_version": "1.1", "scheme": "http", "server": ("test", 80), "client": ("test", 1), "root_path": "",
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def nobody_hears(message: Any) -> None:
        pass

    await app(scope, receive, nobody_hears)

    assert (await head(api, url)).headers["Upload-Offset"] == "177"
    assert (await send(api, url, 177, content[177:])).status_code == 204
    await api.process()
    assert (await api.get()).json()[0]["status"] == "ready"


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


async def garbage(app: FastAPI) -> list[str]:
    async with app.state.database.snapshot() as session:
        return list(await session.scalars(select(GarbageObject.uri)))


async def test_what_is_given_up_is_gone_with_its_parts(api: DatasetApi, app: FastAPI) -> None:
    url = await begun(api, b"12345")
    await send(api, url, 0, b"123")

    assert (await api.client.delete(url, headers=api.headers | TUS)).status_code == 204

    assert (await head(api, url)).status_code == 404
    assert [uri.rsplit("/", 2)[1] for uri in await garbage(app)] == [url.rpartition("/")[2]]


async def test_an_upload_that_nobody_goes_on_with_expires_and_a_finished_one_leaves_its_data_set(
    api: DatasetApi, app: FastAPI
) -> None:
    content = coins()
    unfinished, finished = await begun(api, b"12345"), await begun(api, content)
    await send(api, unfinished, 0, b"123")
    await send(api, finished, 0, content)
    async with app.state.database.transaction() as session:
        await session.execute(update(ResumableUpload).values(expires_at=utc_now() - timedelta(seconds=1)))

    assert (await head(api, unfinished)).status_code == 404
    await api.processor.remove_forgotten_uploads()

    assert [uri.rsplit("/", 2)[1] for uri in await garbage(app)] == [unfinished.rpartition("/")[2]]
    await api.process()
    assert (await api.get()).json()[0]["status"] == "ready"


async def test_old_parts_of_an_upload_stay_as_long_as_its_row(api: DatasetApi, app: FastAPI, tmp_path: Path) -> None:
    url = await begun(api, b"12345")
    await send(api, url, 0, b"123")
    app.state.store.put_bytes(b"x", "uploads/nobody/000000000000000000-0000000001")
    for path in (tmp_path / "storage/uploads").rglob("*"):
        os.utime(path, (0, 0))

    await api.processor.remove_forgotten_uploads()

    left = [path.parent.name for path in (tmp_path / "storage/uploads").rglob("*") if path.is_file()]
    assert left == [url.rpartition("/")[2]]


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [(StorageError("away"), 503, "storage_unavailable"), (OSError(28, "full"), 507, "storage_full")],
)
async def test_trouble_with_storage_is_said_and_loses_nothing(
    api: DatasetApi, app: FastAPI, monkeypatch: pytest.MonkeyPatch, trouble: Exception, status: int, code: str
) -> None:
    content = coins()
    url = await begun(api, content)
    await send(api, url, 0, content[:100])

    def fail(data: bytes, key: str) -> None:
        raise trouble

    with monkeypatch.context() as patched:
        patched.setattr(app.state.store, "put_bytes", fail)
        problem_of(await send(api, url, 100, content[100:]), status, code)

    assert (await head(api, url)).headers["Upload-Offset"] == "100"
    assert (await send(api, url, 100, content[100:])).status_code == 204


async def test_the_parts_are_gone_once_they_are_processed(api: DatasetApi, app: FastAPI, tmp_path: Path) -> None:
    content = coins()
    url = await begun(api, content)
    await send(api, url, 0, content)
    await api.process()

    await SweepLoop(app.state.database, app.state.store, DEFAULT_RETENTION, owner=uuid4()).tick()

    assert not [path for path in (tmp_path / "storage/uploads").rglob("*") if path.is_file()]


async def test_a_part_that_vanished_is_said(api: DatasetApi, tmp_path: Path) -> None:
    content = coins()
    url = await begun(api, content)
    await send(api, url, 0, content[:100])
    dataset_id = (await send(api, url, 100, content[100:])).headers["Upload-Dataset"]
    next(path for path in (tmp_path / "storage/uploads").rglob("*-*-*/*") if path.is_file()).unlink()

    await api.process()

    assert (await api.get(f"/{dataset_id}")).json()["status"] == "failed"
    (finding,) = (await api.get(f"/{dataset_id}/findings")).json()
    assert finding["code"] == "processing_failed"
