"""Data sets over HTTP, processed for real."""

import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image
from support import AuthHeaders, MakeUser, fields_of, problem_of

from vision_api.datasets.processing import DatasetProcessor
from vision_api.models import Project, ProjectMember, User

URL = "/api/v1/datasets"


def png(color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (40, 20)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def coins(count: int = 5, label: str = "0 0.5 0.5 0.5 0.5\n", **more: bytes) -> bytes:
    files = {"set/data.yaml": b"train: images\nnames: [coin]\n", **more}
    for index in range(count):
        files[f"set/images/{index}.png"] = png((index, 0, 0))
        files[f"set/labels/{index}.txt"] = label.encode()
    return zipped(files)


class Api:
    """A signed-in user's view of the routes."""

    def __init__(self, app: FastAPI, client: httpx.AsyncClient, user: User, headers: dict[str, str]) -> None:
        self.client, self.user, self.headers = client, user, headers
        self._processor: DatasetProcessor = app.state.dataset_processor

    async def upload(self, content: bytes, url: str = URL, *, key: str | None = None, **fields: Any) -> httpx.Response:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        files = {"file": ("a.zip", content, "application/zip")}
        return await self.client.post(url, files=files, data=fields or {"name": "coins"}, headers=headers)

    async def get(self, url: str) -> httpx.Response:
        return await self.client.get(url, headers=self.headers)

    async def process(self) -> None:
        while await self._processor.process_next():
            pass

    async def ready(self, content: bytes, **fields: Any) -> dict[str, Any]:
        created = (await self.upload(content, **fields)).json()
        await self.process()
        return (await self.get(f"{URL}/{created['id']}")).json()


@pytest.fixture
async def api(app: FastAPI, client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders) -> Api:
    user = await make_user()
    return Api(app, client, user, await auth_headers(user))


@pytest.fixture
async def stranger(app: FastAPI, client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders) -> Api:
    user = await make_user()
    return Api(app, client, user, await auth_headers(user))


async def test_an_upload_is_processed_to_a_ready_data_set(api: Api) -> None:
    response = await api.upload(coins())

    assert response.status_code == 202
    created = response.json()
    assert created["status"] == "processing"
    assert response.headers["Location"] == f"{URL}/{created['id']}"

    await api.process()
    dataset = (await api.get(response.headers["Location"])).json()
    assert dataset["status"] == "ready"
    assert dataset["format"] == "yolo"
    assert dataset["task_types"] == ["object_detection"]
    assert (dataset["num_classes"], dataset["class_names"], dataset["num_images"]) == (1, ["coin"], 5)
    assert dataset["splits"] == {"train": {"images": 4}, "val": {"images": 1}}
    assert len(dataset["digest"]) == 64
    assert (dataset["error_count"], dataset["warning_count"], dataset["version"]) == (0, 0, 1)


async def test_a_wrong_data_set_is_invalid_and_says_why(api: Api) -> None:
    dataset = await api.ready(coins(label="7 0.5 0.5 0.5 0.5\n"))

    assert dataset["status"] == "invalid"
    assert dataset["error_count"] == 5
    assert dataset["digest"] is None
    findings = (await api.get(f"{URL}/{dataset['id']}/findings")).json()
    assert findings[0]["code"] == "class_unknown"
    assert (findings[0]["file"], findings[0]["line"]) == ("labels/0.txt", 1)
    assert findings[0]["fix"]


@pytest.mark.parametrize("content", [b"", b"no zip", zipped({"../up": b"x"}), zipped({"a.txt": b"x"})])
async def test_a_wrong_archive_is_invalid(api: Api, content: bytes) -> None:
    dataset = await api.ready(content)

    assert dataset["status"] == "invalid"
    assert dataset["error_count"] >= 1


async def test_a_broken_image_is_found(api: Api) -> None:
    dataset = await api.ready(coins(**{"set/images/9.png": png(size=(200, 200))[:-40]}))

    assert dataset["status"] == "invalid"


async def test_statistics_count_objects(api: Api) -> None:
    dataset = await api.ready(coins())

    statistics = (await api.get(f"{URL}/{dataset['id']}/statistics")).json()

    assert statistics["splits"]["train"]["classes"] == {"coin": 4}
    assert statistics["width"] == {"min": 40, "median": 40, "max": 40}


async def test_a_preview_shows_the_image_with_its_labels(api: Api) -> None:
    dataset = await api.ready(coins())

    response = await api.get(f"{URL}/{dataset['id']}/preview?split=val&index=0")

    assert response.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(response.content)) as picture:
        assert picture.size == (40, 20)
        red, green, blue = picture.convert("RGB").getpixel((10, 15))  # type: ignore[misc]
        assert max(red, green, blue) > 60  # the box; the image is nearly black
    problem_of(await api.get(f"{URL}/{dataset['id']}/preview?split=val&index=1"), 404, "not_found")
    problem_of(await api.get(f"{URL}/{dataset['id']}/preview?split=test"), 404, "not_found")
    problem_of(await api.get(f"{URL}/{dataset['id']}/preview?split=../x"), 422, "validation_failed")


async def test_a_preview_opens_by_a_ticket(api: Api) -> None:
    dataset = await api.ready(coins())
    path = f"{URL}/{dataset['id']}/preview"
    ticket = await api.client.post("/api/v1/auth/stream-ticket", json={"path": path}, headers=api.headers)

    response = await api.client.get(path, params={"ticket": ticket.json()["ticket"]})

    assert response.status_code == 200


async def test_the_same_key_creates_one_data_set(api: Api, tmp_path: Path) -> None:
    content = coins()
    first = await api.upload(content, key="k")
    second = await api.upload(content, key="k")

    assert first.json() == second.json()
    assert len((await api.get(URL)).json()) == 1
    assert len(list((tmp_path / "storage" / "uploads").iterdir())) == 1
    problem_of(await api.upload(coins(4), key="k"), 422, "idempotency_mismatch")


async def test_a_form_without_name_file_or_sense_is_refused_by_field(api: Api, tmp_path: Path) -> None:
    assert fields_of(problem_of(await api.upload(b"", other="x"), 422, "validation_failed")) == ["name", "other"]
    no_file = await api.client.post(URL, files={"name": (None, "coins")}, headers=api.headers)
    assert fields_of(problem_of(no_file, 422, "validation_failed")) == ["file"]
    as_json = await api.client.post(URL, json={"name": "coins"}, headers=api.headers)
    assert fields_of(problem_of(as_json, 422, "validation_failed")) == ["file"]
    two = [("file", ("a.zip", b"1")), ("file", ("b.zip", b"2"))]
    problem_of(await api.client.post(URL, files=two, headers=api.headers), 422, "validation_failed")
    cut = {**api.headers, "Content-Type": "multipart/form-data; boundary=x"}
    problem_of(await api.client.post(URL, content=b"--x\r\nnonsense", headers=cut), 422, "validation_failed")
    assert not list((tmp_path / "uploads").iterdir())
    assert (await api.get(URL)).json() == []


async def test_nobody_uploads_without_a_token(client: httpx.AsyncClient) -> None:
    problem_of(await client.post(URL, files={"file": ("a.zip", b"")}, data={"name": "x"}), 401, "token_invalid")


async def test_a_data_set_is_its_owners_alone(api: Api, stranger: Api) -> None:
    dataset = await api.ready(coins())
    url = f"{URL}/{dataset['id']}"

    assert (await stranger.get(URL)).json() == []
    for path in ("", "/findings", "/statistics", "/preview", "/versions", "/diff?from=1&to=1"):
        problem_of(await stranger.get(url + path), 404, "not_found")
    problem_of(await stranger.client.delete(url, headers=stranger.headers), 404, "not_found")
    problem_of(await stranger.client.patch(url, json={"name": "x"}, headers=stranger.headers), 404, "not_found")
    problem_of(await stranger.upload(b"", f"{url}/versions"), 404, "not_found")


async def test_a_projects_data_set_is_its_members(api: Api, stranger: Api, app: FastAPI) -> None:
    async with app.state.database.transaction() as session:
        project = Project(name="coins")
        session.add(project)
        await session.flush()
        for user, role in ((api.user, "editor"), (stranger.user, "viewer")):
            session.add(ProjectMember(project_id=project.id, user_id=user.id, role=role))

    dataset = (await api.upload(coins(), name="shared", project_id=project.id)).json()

    assert [item["id"] for item in (await stranger.get(f"{URL}?project_id={project.id}")).json()] == [dataset["id"]]
    response = await stranger.client.delete(f"{URL}/{dataset['id']}", headers=stranger.headers)
    problem_of(response, 403, "forbidden")
    problem_of(await stranger.upload(b"", name="x", project_id=project.id), 403, "forbidden")
    problem_of(await api.upload(b"", name="x", project_id=project.id + 1), 404, "not_found")


async def test_versions_follow_each_other_and_differ(api: Api) -> None:
    dataset = await api.ready(coins(5))
    url = f"{URL}/{dataset['id']}"

    second = await api.upload(coins(4, label="0 0.5 0.5 0.5 0.4\n"), f"{url}/versions")
    assert second.status_code == 422  # a version has no name
    response = await api.client.post(
        f"{url}/versions", files={"file": ("b.zip", coins(4, "0 0.5 0.5 0.5 0.4\n"))}, headers=api.headers
    )

    assert (response.status_code, response.json()["version"]) == (202, 2)
    await api.process()
    versions = (await api.get(f"{url}/versions")).json()
    assert [(item["version"], item["num_images"]) for item in versions] == [(2, 4), (1, 5)]
    diff = (await api.get(f"{url}/diff?from=1&to=2")).json()
    assert (diff["added_count"], diff["removed_count"], diff["changed_count"]) == (0, 2, 4)
    assert diff["removed"] == ["images/4.png", "labels/4.txt"]
    assert (await api.get(url)).json()["num_images"] == 4
    problem_of(await api.get(f"{url}/diff?from=1&to=3"), 404, "not_found")


async def test_the_same_content_is_stored_once_and_deleted_with_its_last_data_set(
    api: Api, app: FastAPI, tmp_path: Path
) -> None:
    first, second = await api.ready(coins()), await api.ready(coins())
    assert first["digest"] == second["digest"]
    assert [path.name for path in (tmp_path / "storage" / "datasets").iterdir()] == [first["digest"]]

    assert (await api.client.delete(f"{URL}/{first['id']}", headers=api.headers)).status_code == 204
    assert not any("archive" in uri for uri in await garbage(app))
    assert (await api.client.delete(f"{URL}/{second['id']}", headers=api.headers)).status_code == 204

    stored = {path.as_uri() for path in (tmp_path / "storage" / "datasets").rglob("*") if path.is_file()}
    assert stored <= await garbage(app)
    problem_of(await api.get(f"{URL}/{first['id']}"), 404, "not_found")


async def test_content_that_comes_again_is_rescued_from_the_sweep(api: Api, app: FastAPI) -> None:
    first = await api.ready(coins())
    await api.client.delete(f"{URL}/{first['id']}", headers=api.headers)

    await api.ready(coins())

    assert not any("archive" in uri for uri in await garbage(app))


async def test_a_name_can_be_changed(api: Api) -> None:
    dataset = await api.ready(coins())

    response = await api.client.patch(f"{URL}/{dataset['id']}", json={"name": " new "}, headers=api.headers)

    assert response.json()["name"] == "new"
    wrong = await api.client.patch(f"{URL}/{dataset['id']}", json={"format": "coco"}, headers=api.headers)
    assert fields_of(problem_of(wrong, 422, "validation_failed")) == ["name", "format"]


async def test_what_is_not_ready_has_no_statistics_and_no_preview(api: Api) -> None:
    dataset = (await api.upload(coins())).json()

    for path in ("statistics", "preview", "diff?from=1&to=1"):
        problem_of(await api.get(f"{URL}/{dataset['id']}/{path}"), 409, "conflict")
    assert (await api.get(f"{URL}/{dataset['id']}/findings")).json() == []


async def garbage(app: FastAPI) -> set[str]:
    from sqlalchemy import select

    from vision_api.models import GarbageObject

    async with app.state.database.snapshot() as session:
        return set((await session.execute(select(GarbageObject.uri))).scalars())
