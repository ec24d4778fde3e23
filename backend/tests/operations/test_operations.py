"""Operations from a request to their result: the whole backend, a real training service, real runners."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import insert
from support.fake_service import TOKEN, FakeService
from support.waiting import until

from vision_api.config import Settings
from vision_api.kit.clock import utc_now
from vision_api.main import create_app
from vision_api.models import MetricPoint
from vision_api.platform import platform_of

pytestmark = pytest.mark.one_database

ADMIN = {"username": "admin@example.com", "password": "a long password of the tests"}
JOB = {"framework": "fake", "model_name": "linear", "task_type": "image_classification", "epochs": 2, "batch_size": 2}


@pytest.fixture
async def app(settings: Settings, tmp_path: Path, colors: Path) -> AsyncIterator[FastAPI]:
    """Run the whole backend with one service of one slot."""
    storage_url = (tmp_path / "storage").as_uri()
    service = FakeService(tmp_path / "service", storage_url, colors.parent)
    await service.start()
    own = settings.model_copy(
        update={
            "service_urls": {"fake": (service.url,)},
            "service_token": SecretStr(TOKEN),
            "storage_url": storage_url,
            "dataset_roots": (colors.parent,),
            "admin_password": SecretStr(ADMIN["password"]),
        }
    )
    app = create_app(own)
    async with app.router.lifespan_context(app):
        await until(lambda: platform_of(app).registry.available("fake"))
        yield app
    await service.end()


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an administrator."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1", timeout=60) as client:
        answer = await client.post("/auth/login", data=ADMIN)
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


async def ended(api: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """Return a job or an operation once it has ended."""
    for _ in range(600):
        found = (await api.get(path)).json()
        if found["status"] in ("completed", "failed", "cancelled"):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"{path} has not ended: {found}")


async def test_the_time_of_a_training_is_known_from_an_earlier_one(
    api: httpx.AsyncClient, app: FastAPI, colors: Path
) -> None:
    body = {**JOB, "project_id": (await api.post("/projects", json={"name": "Colours"})).json()["id"]}
    body["dataset_path"] = str(colors)

    async def estimates(**changes: Any) -> dict[str, Any]:
        answer = await api.post("/training/jobs/preflight", json=body | changes)
        return answer.json()["estimates"]

    assert (await estimates())["time_basis"] == "model_card"
    job = (await api.post("/training/jobs", json=body)).json()["id"]
    await api.post(f"/training/jobs/{job}/start")
    steps = (await ended(api, f"/training/jobs/{job}"))["progress"]["steps"]
    point = {"job_id": job, "time": utc_now(), "step": steps, "epoch": 1, "name": "time/epoch_seconds", "value": 40.0}
    async with platform_of(app).database.transaction() as session:
        await session.execute(insert(MetricPoint), [point])

    for name, basis in (("linear", "earlier_training"), ("hub/linear", "similar_training")):
        known = await estimates(model_name=name)
        assert (known["time_basis"], known["epoch_seconds"]) == (basis, 40.0)


async def test_a_trained_experiment_predicts_is_exported_and_evaluated(api: httpx.AsyncClient, colors: Path) -> None:
    project = (await api.post("/projects", json={"name": "Colours"})).json()["id"]
    body = {**JOB, "project_id": project, "dataset_path": str(colors)}

    checked = await api.post("/training/jobs/preflight", json=body | {"dry_run": True})
    assert checked.status_code == 200, checked.text
    assert checked.json()["fits"]
    assert checked.json()["estimates"]["steps_per_epoch"] == 4
    assert checked.json()["dry_run"]["values"]["preflight/steps_per_epoch"] == 4

    job = (await api.post("/training/jobs", json=body)).json()["id"]
    address = f"/training/jobs/{job}"
    early = await api.post(f"{address}/export", json={"format": "onnx"})
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    await api.post(f"{address}/start")
    assert (await ended(api, address))["status"] == "completed"

    images = [
        ("images", (name, data)) for name, data in (("red.png", (colors / "val/red/0.png").read_bytes()), ("x", b""))
    ]
    answer = await api.post(f"{address}/predict", files=images, data={"top_k": "1"})
    assert answer.status_code == 200, answer.text
    red, broken = answer.json()["predictions"]
    assert ([label["label"] for label in red["labels"]], broken["error"]["code"]) == (["red"], "image_broken")
    picture = await api.get(red["drawing_url"].removeprefix("/api/v1"))
    assert picture.headers["content-type"] == "image/png"

    key = {"Idempotency-Key": "pressed twice"}
    twice = [await api.post(f"{address}/predict", files=images[:1], headers=key) for _ in range(2)]
    assert twice[0].json()["id"] == twice[1].json()["id"]
    other = await api.post(f"{address}/predict", files=images[1:], headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")

    accepted = [
        await api.post(f"{address}/export", json={"format": "bundle"}, headers=key),
        await api.post(f"{address}/export", json={"format": "torchscript"}),
        await api.post(f"{address}/evaluate", json={"split": "val"}),
    ]
    assert [each.status_code for each in accepted] == [202] * 3
    again = await api.post(f"{address}/export", json={"format": "bundle"}, headers=key)
    assert again.json()["id"] == accepted[0].json()["id"]
    done = [await ended(api, each.headers["location"].removeprefix("/api/v1")) for each in accepted]
    assert [each["status"] for each in done] == ["completed", "failed", "completed"]
    assert done[1]["status_reason"] == "export_not_supported"
    assert done[2]["values"] == {"val/accuracy": 1.0}
    names = {artifact["name"] for artifact in (await api.get(f"{address}/artifacts")).json()}
    assert {"exports/bundle.zip", "evaluations/folder-val.json"} <= names
    bundle = zipfile.ZipFile(io.BytesIO((await api.get(f"{address}/artifacts/exports/bundle.zip")).content))
    facts = json.loads(bundle.read("model.json"))
    assert (facts["dataset"]["name"], facts["metrics"]["accuracy"]) == ("colors", 1.0)

    listed = await api.get(f"/projects/{project}/experiments")
    assert [each["id"] for each in listed.json()] == [job]
    assert (await api.get(f"/projects/{project}")).json()["experiment_count"] == 1
    operation_id = done[0]["id"]
    assert (await api.post(f"/training/jobs/{operation_id}/retry")).json()["code"] == "invalid_transition"

    assert (await api.delete(f"/training/jobs/{operation_id}")).status_code == 204
    assert "exports/bundle.zip" not in (await api.get(f"{address}/artifacts")).text
    assert (await api.delete(address)).status_code == 204
    assert (await api.get(f"/training/jobs/{done[2]['id']}")).status_code == 404


async def test_a_wrong_request_for_an_operation_is_refused(api: httpx.AsyncClient, colors: Path) -> None:
    project = (await api.post("/projects", json={"name": "Colours"})).json()["id"]
    body = {**JOB, "project_id": project, "dataset_path": str(colors)}
    job = (await api.post("/training/jobs", json=body)).json()["id"]
    address = f"/training/jobs/{job}"
    image = {"images": ("a.png", b"x")}
    answers = [
        await api.post(f"{address}/predict", json={}),
        await api.post(f"{address}/predict", data={"top_k": "1"}, files={"top": (None, "1")}),
        await api.post(f"{address}/predict", files=image, data={"threshold": "2"}),
        await api.post(f"{address}/export", json={"format": "tflite"}),
        await api.post("/training/jobs/preflight", json=body | {"model_name": "none"}),
        await api.get(f"{address}/operations/1"),
        await api.post("/training/jobs/99999/predict", files=image),
    ]
    codes = [(answer.status_code, answer.json()["code"]) for answer in answers]
    unknown = (422, "validation_failed")
    assert codes == [unknown, unknown, unknown, unknown, (422, "model_unknown"), (404, "not_found"), (404, "not_found")]
