"""The routes without a process behind them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.devices import list_devices
from trainer_kit.event_log import EventLog
from trainer_kit.server import app
from trainer_kit.server.app import create_app
from trainer_kit.server.service import Service, create_service
from trainer_kit.settings import ServiceSettings
from trainer_kit.supervisor import ProcessLauncher, Supervisor
from trainer_kit.testing.fake_adapter import ADAPTER_PATH, adapter
from trainer_kit.testing.specs import assert_problem, changed, make_fake_spec
from vision_contracts import JobSpec, Log, LogLevel, ModelDetail

TOKEN = "t" * 32


@pytest.fixture
def settings(tmp_path: Path, dataset_path: Path) -> ServiceSettings:
    return ServiceSettings(
        data_dir=tmp_path / "data", service_token=SecretStr(TOKEN), dataset_roots=(dataset_path.parent,)
    )


@pytest.fixture
def service(settings: ServiceSettings) -> Service:
    supervisor = Supervisor(settings.data_dir, 1, ProcessLauncher(settings, ADAPTER_PATH))
    return create_service(adapter, settings, supervisor, list_devices())


@pytest.fixture
async def client(service: Service, settings: ServiceSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(service, settings) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


def open_client(service: Service, settings: ServiceSettings) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(service, settings), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service")


@pytest.fixture
def spec(settings: ServiceSettings, dataset_path: Path) -> JobSpec:
    return make_fake_spec(settings.storage_url, dataset_path.as_uri())


@pytest.mark.parametrize("given", ["", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"])
async def test_only_the_token_opens(service: Service, settings: ServiceSettings, given: str) -> None:
    async with open_client(service, settings) as client:
        refused = await client.get("/ready", headers={"Authorization": given.encode()})
        assert TOKEN not in assert_problem(refused, 401, "token_invalid").detail
        assert_problem(await client.get("/ready"), 401, "token_invalid")


async def test_a_body_is_read_only_with_the_token_and_up_to_a_limit(
    service: Service, settings: ServiceSettings, client: httpx.AsyncClient
) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(64):
            read += 2**20
            yield bytes(2**20)

    async with open_client(service, settings) as stranger:
        assert_problem(await stranger.post("/training/start", content=body()), 401, "token_invalid")
        assert read == 0

    json = {"Content-Type": "application/json"}
    assert_problem(await client.post("/training/start", content=body(), headers=json), 413, "too_large")
    assert read <= app.LARGEST_BODY_BYTES + 2 * 2**20


async def test_a_name_with_a_slash_is_found_however_it_is_written(client: httpx.AsyncClient) -> None:
    for path in ("/models/hub/linear", "/models/hub%2Flinear"):
        assert ModelDetail.model_validate_json((await client.get(path)).content).model_name == "hub/linear"


@pytest.mark.parametrize("given", ["{etag}", "W/{etag}", '"a, b", {etag}', "*"])
async def test_who_has_the_list_already_does_not_get_it_again(client: httpx.AsyncClient, given: str) -> None:
    etag = (await client.get("/models/list")).headers["ETag"]
    part = etag[:-2] + '"'
    for names, status in ((given.format(etag=etag), 304), ('"other"', 200), (part, 200), (f'"x{etag[1:]}', 200)):
        assert (await client.get("/models/list", headers={"If-None-Match": names})).status_code == status


async def test_every_error_is_a_problem(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_problem(await client.get("/nowhere"), 404, "not_found")
    assert_problem(await client.delete("/models/list"), 405, "method_not_allowed")
    assert_problem(await client.get("/training/status/no-uuid"), 422, "validation_failed")
    assert_problem(await client.get(f"/training/jobs/{uuid4()}/events"), 404, "not_found")

    def fail() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(service.supervisor, "list_held", fail)
    problem = assert_problem(await client.get("/training/jobs"), 500, "internal")
    assert "secret" not in problem.model_dump_json()


async def test_a_reader_of_events_that_a_power_cut_lost_gets_a_404(
    client: httpx.AsyncClient, service: Service, settings: ServiceSettings, spec: JobSpec
) -> None:
    """Events written after the cut have numbers that such a reader has already passed."""
    folder = AttemptFolder.at(settings.data_dir, spec.job_uid, 1)
    folder.path.mkdir(parents=True)
    folder.spec_file.write_text(spec.model_dump_json())
    events = EventLog(folder.events_file, 1)
    events.append(Log(level=LogLevel.INFO, message="one"))
    events.close()
    service.supervisor = Supervisor(settings.data_dir, 1, ProcessLauncher(settings, ADAPTER_PATH))
    address, query = f"/training/jobs/{spec.job_uid}/events", {"after": 4, "follow": True}
    assert_problem(await client.get(address, params=query), 404, "not_found")
    service.supervisor.supervise()
    assert service.supervisor.find(spec.job_uid).describe().last_seq == 3
    assert_problem(await client.get(address, params=query), 404, "not_found")
    assert len((await client.get(address, params=query | {"after": 2})).content.splitlines()) == 1


async def test_supervision_continues_after_a_failure(
    service: Service, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    continued = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail(name: str) -> None:
        done.append(name)
        if done == ["attempts", "orphans"] * 2:
            loop.call_soon_threadsafe(continued.set)
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(app, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(service.supervisor, "supervise", lambda: fail("attempts"))
    monkeypatch.setattr(app, "reap_orphans", lambda: fail("orphans"))
    application = create_app(service, settings)
    async with application.router.lifespan_context(application):
        await asyncio.wait_for(continued.wait(), 5)


async def test_all_wrong_fields_are_named_at_once(client: httpx.AsyncClient, spec: JobSpec) -> None:
    wrong = changed(spec, optimizer="lion", hyperparameters={"image_size": 0, "typo": 1})
    problem = assert_problem(
        await client.post("/training/start", json=wrong.model_dump(mode="json")), 422, "hyperparameters_invalid"
    )
    assert {error.field for error in problem.errors or []} == {
        "hyperparameters.image_size",
        "hyperparameters.typo",
        "params.optimizer",
    }


async def test_a_link_out_of_the_roots_is_not_followed(
    client: httpx.AsyncClient, spec: JobSpec, dataset_path: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = dataset_path.parent / f"link-{uuid4()}"
    link.symlink_to(outside)
    body = changed(spec, dataset={"uri": link.as_uri()}).model_dump(mode="json")
    assert_problem(await client.post("/training/start", json=body), 422, "dataset_not_visible")
    dotted = {"uri": f"{dataset_path.as_uri()}/../../../etc"}
    body = changed(spec, dataset=dotted).model_dump(mode="json")
    assert_problem(await client.post("/training/start", json=body), 422, "dataset_not_visible")


async def test_another_frameworks_job_is_refused(client: httpx.AsyncClient, spec: JobSpec) -> None:
    body = changed(spec, framework="timm").model_dump(mode="json")
    problem = assert_problem(await client.post("/training/start", json=body), 422, "validation_failed")
    assert [error.field for error in problem.errors or []] == ["framework"]
