"""Pushes of model versions to a hub by its own client."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import update
from support.common import AuthHeaders, MakeUser, fields_of, problem_of, replace_parts
from support.fake_hub import Hub, make_hub_app
from support.small_service import serving_app
from support.trained_jobs import WEIGHTS, TrainJob

from vision_api.background import worker
from vision_api.config import ConfigurationError, Settings, load_settings
from vision_api.kit.clock import utc_now
from vision_api.model_registry.hub import pusher as pusher_module
from vision_api.model_registry.hub.pusher import HubPusher
from vision_api.models import ModelPush, Project
from vision_api.platform import platform_of

pytestmark = pytest.mark.one_database


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """Serve a hub that takes large files by the older of the client's two protocols."""
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    hub = Hub()
    async with serving_app(make_hub_app(hub)) as port:
        hub.url = f"http://127.0.0.1:{port}"
        yield hub


@pytest.fixture
def settings(settings: Settings, hub: Hub) -> Settings:
    known = {"hub_url": hub.url, "hub_token": SecretStr(hub.token), "hub_namespace": "team"}
    return settings.model_copy(update=known)


@pytest.fixture
def pusher(app: FastAPI) -> HubPusher:
    parts = platform_of(app)
    return HubPusher(parts.database, parts.store, parts.settings)


@pytest.fixture
async def url(api: httpx.AsyncClient, project: Project, train_job: TrainJob) -> str:
    """Register the first version of a model, and return its URL."""
    models = f"/api/v1/projects/{project.id}/models"
    answer = await api.post(models, json={"name": "reader", "job_id": (await train_job()).id, "notes": "mine"})
    return answer.headers["Location"]


async def _push(api: httpx.AsyncClient, url: str, **body: Any) -> str:
    answer = await api.post(f"{url}/pushes", json=body)
    assert (answer.status_code, answer.json()["status"]) == (202, "pushing"), answer.text
    return answer.headers["Location"]


async def _get(api: httpx.AsyncClient, push: str) -> dict[str, Any]:
    answer = await api.get(push)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _make_retry_due(app: FastAPI) -> None:
    async with platform_of(app).database.transaction() as session:
        await session.execute(update(ModelPush).values(lease_expires_at=None))


async def test_a_version_arrives_with_its_card_and_lineage(
    api: httpx.AsyncClient, url: str, hub: Hub, pusher: HubPusher
) -> None:
    push = await _push(api, url, repository="digit-reader")
    assert await _push(api, url, repository="digit-reader") == push

    assert await pusher.process_next()

    done = await _get(api, push)
    assert (done["status"], done["repository"], done["error_code"]) == ("pushed", "team/digit-reader", None)
    assert done["commit_url"].startswith(f"{hub.url}/team/digit-reader/commit/")
    repository = hub.repositories["team/digit-reader"]
    assert repository.is_private
    assert (repository.messages, list(repository.tags)) == (["Digits/reader:1"], ["v1"])
    assert set(repository.files) == {".gitattributes", "README.md", "lineage.json", "model.pt"}
    assert repository.files["model.pt"] == WEIGHTS
    assert "# Digits/reader:1" in repository.files["README.md"].decode()
    assert json.loads(repository.files["lineage.json"])["file"]["artifact"] == "checkpoints/best.pt"
    assert (await api.get(f"{url}/pushes")).json() == [done]
    assert not await pusher.process_next()


async def test_the_next_version_replaces_the_files_and_a_repeated_push_makes_no_second_commit(
    api: httpx.AsyncClient, url: str, hub: Hub, pusher: HubPusher, train_job: TrainJob, project: Project
) -> None:
    for _ in range(2):
        await _push(api, url, repository="digit-reader")
        assert await pusher.process_next()
    repository = hub.repositories["team/digit-reader"]
    assert len(repository.messages) == 1
    repository.files |= {"model.onnx": b"of another version", "LICENSE": b"theirs"}
    job = await train_job(accuracies=[0.9])
    answer = await api.post(f"/api/v1/projects/{project.id}/models", json={"name": "reader", "job_id": job.id})

    await _push(api, answer.headers["Location"])
    assert await pusher.process_next()

    assert (repository.messages[1], list(repository.tags)) == ("Digits/reader:2", ["v1", "v2"])
    assert set(repository.files) == {".gitattributes", "README.md", "lineage.json", "model.pt", "LICENSE"}


async def test_a_push_to_a_failing_hub_is_retried_a_limited_number_of_times(
    api: httpx.AsyncClient, app: FastAPI, url: str, hub: Hub, pusher: HubPusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pusher_module, "RETRY_SECONDS", (40.0,))
    push = await _push(api, url, repository="digit-reader")
    hub.failures = [503]
    assert await pusher.process_next()
    assert (await _get(api, push))["status"] == "pushing"
    assert not await pusher.process_next()  # the retry is not due yet

    await _make_retry_due(app)
    assert await pusher.process_next()
    assert (await _get(api, push))["status"] == "pushed"

    await api.patch(url, json={"notes": "other notes make another commit"})
    push = await _push(api, url)
    hub.failures = [502, 502]
    for _ in range(2):
        await _make_retry_due(app)
        assert await pusher.process_next()
    failed = await _get(api, push)
    assert (failed["status"], failed["error_code"]) == ("failed", "hub_unavailable")
    assert "502" in failed["error_message"]


async def test_a_repository_with_foreign_files_is_left_as_it_is(
    api: httpx.AsyncClient, url: str, hub: Hub, pusher: HubPusher
) -> None:
    push = await _push(api, url, repository="digit-reader")
    assert await pusher.process_next()
    del hub.repositories["team/digit-reader"].files["lineage.json"]
    before = dict(hub.repositories["team/digit-reader"].files)

    push = await _push(api, url)
    assert await pusher.process_next()

    failed = await _get(api, push)
    assert (failed["status"], failed["error_code"]) == ("failed", "hub_repository_taken")
    assert hub.repositories["team/digit-reader"].files == before


async def test_a_refused_token_fails_at_once_is_not_shown_and_leaves_the_name_free(
    api: httpx.AsyncClient, url: str, hub: Hub, pusher: HubPusher, caplog: pytest.LogCaptureFixture
) -> None:
    known, hub.token = hub.token, "another one"
    push = await _push(api, url, repository="digit-reader")
    assert await pusher.process_next()

    failed = await _get(api, push)
    assert (failed["status"], failed["error_code"]) == ("failed", "hub_refused")
    assert "401" in failed["error_message"]
    assert known not in json.dumps(failed) + caplog.text
    await _push(api, url, repository="another-name")


async def test_every_model_has_a_repository_of_its_own(
    api: httpx.AsyncClient, url: str, hub: Hub, pusher: HubPusher, train_job: TrainJob, project: Project
) -> None:
    assert fields_of(problem_of(await api.post(f"{url}/pushes", json={}), 422, "validation_failed")) == ["repository"]
    problem_of(await api.post(f"{url}/pushes", json={"repository": "../x"}), 422, "validation_failed")
    await _push(api, url, repository="digit-reader")
    assert await pusher.process_next()

    problem_of(await api.post(f"{url}/pushes", json={"repository": "other"}), 409, "conflict")
    job = await train_job()
    other = await api.post(f"/api/v1/projects/{project.id}/models", json={"name": "thief", "job_id": job.id})
    body = {"repository": "digit-reader"}
    problem_of(await api.post(f"{other.headers['Location']}/pushes", json=body), 409, "conflict")


async def test_strangers_neither_push_nor_see_pushes(
    api: httpx.AsyncClient, client: httpx.AsyncClient, url: str, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    push = await _push(api, url, repository="digit-reader")
    stranger = await auth_headers(await make_user())

    for path in (push, f"{url}/pushes"):
        problem_of(await client.get(path, headers=stranger), 404, "not_found")
    problem_of(await client.post(f"{url}/pushes", json={}, headers=stranger), 404, "not_found")
    problem_of(await api.get(f"{url}/pushes/999"), 404, "not_found")
    problem_of(await api.post(f"{url[:-1]}7/pushes", json={}), 404, "not_found")


async def test_a_push_that_was_under_way_when_the_backend_ended_is_made_by_the_next(
    api: httpx.AsyncClient, app: FastAPI, url: str, hub: Hub, pusher: HubPusher
) -> None:
    push = await _push(api, url, repository="digit-reader")
    async with platform_of(app).database.transaction() as session:  # the state that a killed pusher leaves
        await session.execute(update(ModelPush).values(tries=1, lease_expires_at=utc_now()))

    async with pusher.running():
        for _ in range(300):
            if (await _get(api, push))["status"] == "pushed":
                break
            pusher.wake()
            await asyncio.sleep(0.1)

    assert (await _get(api, push))["status"] == "pushed"
    assert hub.repositories["team/digit-reader"].messages == ["Digits/reader:1"]


async def test_a_push_begins_at_once_and_not_at_the_next_poll(
    api: httpx.AsyncClient, url: str, hub: Hub, pusher: HubPusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL_SECONDS", 3600.0)
    is_waiting = asyncio.Event()

    async def note_waiting() -> None:
        is_waiting.set()

    monkeypatch.setattr(pusher, "clean_up", note_waiting)
    async with pusher.running(), asyncio.timeout(60):
        await is_waiting.wait()
        push = await _push(api, url, repository="digit-reader")
        while (await _get(api, push))["status"] == "pushing":
            await asyncio.sleep(0.05)

    assert hub.repositories["team/digit-reader"].messages == ["Digits/reader:1"]


async def test_a_push_without_weights_fails(
    api: httpx.AsyncClient, url: str, pusher: HubPusher, tmp_path: Path
) -> None:
    push = await _push(api, url, repository="digit-reader")
    for path in (tmp_path / "storage/models").rglob("weights"):
        path.unlink()

    assert await pusher.process_next()

    assert (await _get(api, push))["error_code"] == "weights_missing"


async def test_without_a_token_nothing_is_pushed(
    api: httpx.AsyncClient, app: FastAPI, url: str, settings: Settings
) -> None:
    replace_parts(app, settings=settings.model_copy(update={"hub_token": None}))
    problem_of(await api.post(f"{url}/pushes", json={"repository": "x"}), 409, "hub_not_configured")


def test_a_token_needs_a_namespace(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="HUB_NAMESPACE"):
        load_settings(data_dir=tmp_path, hub_token=SecretStr("hf_x"))
