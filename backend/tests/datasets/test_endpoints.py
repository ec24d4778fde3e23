"""Data sets over HTTP."""

from pathlib import Path

import httpx
from fastapi import FastAPI
from sqlalchemy import select, update
from sqlalchemy.orm import undefer
from support.common import fields_of, problem_of
from support.dataset_api import URL, DatasetApi, coins, png, zipped
from support.job_rows import job_fields

from vision_api.models import DatasetVersion, GarbageObject, Project, ProjectMember, TrainingJob
from vision_api.platform import platform_of


async def test_an_upload_is_processed_to_a_ready_data_set(api: DatasetApi) -> None:
    response = await api.upload(coins())

    assert response.status_code == 202
    created = response.json()
    assert created["status"] == "processing"
    assert response.headers["Location"] == f"{URL}/{created['id']}"

    await api.process()
    dataset = (await api.get(f"/{created['id']}")).json()
    assert dataset["status"] == "ready"
    assert dataset["format"] == "yolo"
    assert dataset["task_types"] == ["object_detection"]
    assert (dataset["num_classes"], dataset["class_names"], dataset["num_images"]) == (1, ["coin"], 5)
    assert dataset["splits"] == {"train": {"images": 4}, "val": {"images": 1}}
    assert len(dataset["digest"]) == 64
    assert (dataset["error_count"], dataset["warning_count"], dataset["version"]) == (0, 1, 1)


async def test_a_wrong_data_set_is_invalid_and_says_why(api: DatasetApi) -> None:
    dataset = await api.ready(coins(label="7 0.5 0.5 0.5 0.5\n"))

    assert (dataset["status"], dataset["error_count"], dataset["digest"]) == ("invalid", 5, None)
    first = (await api.get(f"/{dataset['id']}/findings")).json()[0]
    assert (first["code"], first["file"], first["line"]) == ("class_unknown", "labels/0.txt", 1)
    assert first["fix"]


async def test_a_wrong_archive_is_invalid(api: DatasetApi) -> None:
    dataset = await api.ready(zipped({"../up": b"x"}))

    assert dataset["status"] == "invalid"
    assert dataset["error_count"] >= 1


async def test_an_image_that_is_cut_off_is_found(api: DatasetApi) -> None:
    dataset = await api.ready(coins(**{"set/images/9.png": png(size=(200, 200))[:-40]}))

    finding, *_ = (await api.get(f"/{dataset['id']}/findings")).json()
    assert (finding["code"], finding["file"]) == ("image_unreadable", "images/9.png")


async def test_statistics_count_objects(api: DatasetApi) -> None:
    dataset = await api.ready(coins())

    statistics = (await api.get(f"/{dataset['id']}/statistics")).json()

    assert statistics["splits"]["train"]["classes"] == {"coin": 4}
    assert statistics["width"] == {"min": 40, "median": 40, "max": 40}
    assert statistics["width_histogram"] == {"edges": [40, 41], "counts": [5]}
    assert statistics["box_sizes"] == {"small": 5, "medium": 0, "large": 0}


async def test_statistics_from_before_there_were_histograms_are_given_as_they_are(
    api: DatasetApi, app: FastAPI
) -> None:
    dataset = await api.ready(coins())
    async with platform_of(app).database.transaction() as session:
        version = (
            await session.execute(select(DatasetVersion).options(undefer(DatasetVersion.statistics)))
        ).scalar_one()
        kept = ("splits", "width", "height", "objects_per_image", "box_share")
        version.statistics = {name: (version.statistics or {})[name] for name in kept}

    statistics = (await api.get(f"/{dataset['id']}/statistics")).json()

    assert statistics["box_share"] == {"min": 0.25, "median": 0.25, "max": 0.25}
    assert statistics["width_histogram"] is None


async def test_the_same_key_creates_one_data_set(api: DatasetApi, tmp_path: Path) -> None:
    content = coins()
    first = await api.upload(content, key="k")
    second = await api.upload(content, key="k")

    assert first.json() == second.json()
    assert len((await api.get()).json()) == 1
    assert len(list((tmp_path / "storage" / "uploads").iterdir())) == 1
    problem_of(await api.upload(coins(4), key="k"), 422, "idempotency_mismatch")
    assert len(list((tmp_path / "storage" / "uploads").iterdir())) == 1


async def test_nobody_uploads_without_a_token(client: httpx.AsyncClient) -> None:
    problem_of(await client.post(URL, files={"file": ("a.zip", b"")}, data={"name": "x"}), 401, "token_invalid")


async def test_a_data_set_is_its_owners_alone(api: DatasetApi, stranger: DatasetApi) -> None:
    dataset = await api.ready(coins())

    assert (await stranger.get()).json() == []
    for path in ("", "/findings", "/statistics", "/preview", "/versions", "/diff?from=1&to=1"):
        problem_of(await stranger.get(f"/{dataset['id']}{path}"), 404, "not_found")
    problem_of(await stranger.delete(dataset["id"]), 404, "not_found")
    problem_of(await stranger.patch(dataset["id"], name="x"), 404, "not_found")
    problem_of(await stranger.upload_version(dataset["id"], b""), 404, "not_found")


async def test_a_projects_data_set_is_its_members(api: DatasetApi, stranger: DatasetApi, app: FastAPI) -> None:
    async with platform_of(app).database.transaction() as session:
        project = Project(name="coins")
        session.add(project)
        await session.flush()
        for user, role in ((api.user, "editor"), (stranger.user, "viewer")):
            session.add(ProjectMember(project_id=project.id, user_id=user.id, role=role))

    dataset = (await api.upload(coins(), name="shared", project_id=project.id)).json()

    assert [item["id"] for item in (await stranger.get(f"?project_id={project.id}")).json()] == [dataset["id"]]
    assert (await stranger.get("?status=ready")).json() == []
    problem_of(await stranger.delete(dataset["id"]), 403, "forbidden")
    problem_of(await stranger.upload(b"", name="x", project_id=project.id), 403, "forbidden")
    problem_of(await api.upload(b"", name="x", project_id=project.id + 1), 404, "not_found")


async def test_lists_come_in_pages(api: DatasetApi) -> None:
    ids = [(await api.upload(b"")).json()["id"] for _ in range(3)]

    first = await api.get("?limit=2")
    rest = await api.client.get(first.links["next"]["url"], headers=api.headers)

    assert first.headers["X-Total-Count"] == "3"
    assert [item["id"] for item in first.json() + rest.json()] == ids[::-1]


async def test_versions_follow_each_other_and_differ(api: DatasetApi) -> None:
    dataset = await api.ready(coins(5))
    path = f"/{dataset['id']}"

    response = await api.upload_version(dataset["id"], coins(4, label="0 0.5 0.5 0.5 0.4\n"))

    assert (response.status_code, response.json()["version"]) == (202, 2)
    await api.process()
    versions = (await api.get(f"{path}/versions")).json()
    assert [(item["version"], item["num_images"]) for item in versions] == [(2, 4), (1, 5)]
    diff = (await api.get(f"{path}/diff?from=1&to=2")).json()
    assert (diff["added_count"], diff["removed_count"], diff["changed_count"]) == (0, 2, 4)
    assert diff["removed"] == ["images/4.png", "labels/4.txt"]
    assert (await api.get(path)).json()["num_images"] == 4
    problem_of(await api.get(f"{path}/diff?from=1&to=3"), 404, "not_found")


async def test_the_same_content_is_stored_once_and_goes_with_its_last_data_set(
    api: DatasetApi, app: FastAPI, tmp_path: Path
) -> None:
    first, second = await api.ready(coins()), await api.ready(coins())
    contents = tmp_path / "storage" / "datasets"
    assert first["digest"] == second["digest"]
    assert [path.name for path in contents.iterdir()] == [first["digest"]]

    assert (await api.delete(first["id"])).status_code == 204
    assert not any("archive" in uri for uri in await garbage(app))
    assert (await api.delete(second["id"])).status_code == 204

    assert {path.as_uri() for path in contents.rglob("*") if path.is_file()} <= await garbage(app)
    problem_of(await api.get(f"/{first['id']}"), 404, "not_found")


async def test_content_that_comes_again_is_rescued_from_the_sweep(api: DatasetApi, app: FastAPI) -> None:
    first = await api.ready(coins())
    await api.delete(first["id"])

    await api.ready(coins())

    assert not any("archive" in uri for uri in await garbage(app))


async def test_a_data_set_that_a_job_needs_stays(api: DatasetApi, app: FastAPI) -> None:
    dataset = await api.ready(coins())
    async with platform_of(app).database.transaction() as session:
        job = TrainingJob(**job_fields(created_by_id=api.user.id, dataset_id=dataset["id"], status="queued"))
        session.add(job)

    problem_of(await api.delete(dataset["id"]), 409, "in_use")
    async with platform_of(app).database.transaction() as session:
        await session.execute(update(TrainingJob).values(status="completed"))

    assert (await api.delete(dataset["id"])).status_code == 204


async def test_a_name_can_be_changed(api: DatasetApi) -> None:
    dataset = await api.ready(coins())

    assert (await api.patch(dataset["id"], name=" new ")).json()["name"] == "new"
    wrong = await api.patch(dataset["id"], format="coco")
    assert fields_of(problem_of(wrong, 422, "validation_failed")) == ["name", "format"]


async def test_what_is_not_ready_has_no_statistics_and_no_preview(api: DatasetApi) -> None:
    dataset = (await api.upload(coins())).json()

    for path in ("statistics", "preview", "diff?from=1&to=1"):
        problem_of(await api.get(f"/{dataset['id']}/{path}"), 409, "conflict")
    assert (await api.get(f"/{dataset['id']}/findings")).json() == []


async def garbage(app: FastAPI) -> set[str]:
    async with platform_of(app).database.snapshot() as session:
        return set((await session.execute(select(GarbageObject.uri))).scalars())
