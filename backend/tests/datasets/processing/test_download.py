"""Data sets imported from a bucket, over S3's protocol."""

import subprocess
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from support.backend_process import PATIENCE_SECONDS, free_port
from support.common import problem_of
from support.dataset_api import URL, DatasetApi, coins

from data_kit import ObjectStore, open_store
from vision_api.config import Settings

KIT_PYTHON = Path(__file__).parents[4] / "shared/data_kit/.venv/bin/python"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with the empty bucket `shelf`."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(KIT_PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (tmp_path_factory.mktemp("s3") / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                httpx.put(f"{url}/shelf").raise_for_status()
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield url
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def shelf(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The bucket, as the backend reaches it."""
    settings = {
        "ENDPOINT_URL": s3_endpoint,
        "ACCESS_KEY_ID": "test",
        "SECRET_ACCESS_KEY": "test",
        "REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return open_store("s3://shelf")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"import_prefixes": ("s3://shelf/sets",)})


async def imported(api: DatasetApi, uri: str) -> dict[str, object]:
    response = await api.client.post(f"{URL}/import", json={"name": "coins", "uri": uri}, headers=api.headers)
    assert response.status_code == 202, response.text
    await api.process()
    dataset: dict[str, object] = (await api.get(f"/{response.json()['id']}")).json()
    return dataset


async def test_a_prefix_and_an_archive_become_what_an_upload_would(api: DatasetApi, shelf: ObjectStore) -> None:
    content = coins()
    with zipfile.ZipFile(BytesIO(content)) as packed:
        for name in packed.namelist():
            shelf.put_bytes(packed.read(name), f"sets/coins/{name}")
    shelf.put_bytes(content, "sets/coins.zip")
    shelf.put_bytes(b"another one, whose name begins alike", "sets/coins-old/readme.txt")
    before = {each.uri: each.size_bytes for each in shelf.list("")}

    datasets = [await imported(api, f"s3://shelf/sets/{name}") for name in ("coins", "coins/", "coins.zip")]

    assert [dataset["status"] for dataset in datasets] == ["ready"] * 3
    assert {dataset["digest"] for dataset in datasets} == {(await api.ready(content))["digest"]}
    assert datasets[0]["imported_from"] == "s3://shelf/sets/coins"
    assert {each.uri: each.size_bytes for each in shelf.list("")} == before


async def test_a_prefix_with_nothing_below_it_is_invalid(api: DatasetApi, shelf: ObjectStore) -> None:
    dataset = await imported(api, f"{shelf.uri('sets')}/nothing")

    assert dataset["status"] == "invalid"
    (finding,) = (await api.get(f"/{dataset['id']}/findings")).json()
    assert finding["code"] == "dataset_empty"


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    "uri",
    [
        "s3://shelf/setsandmore", "s3://shelf", "s3://other/sets", "s3://shelf/sets/../private",
        "s3://shelf/sets/%2e%2e/private", "s3://shelf/sets/.%2E/private", "s3://shelf/sets/.\t./private",
        "s3://shelf/sets/.\n./private", "s3://shelf/sets/..\\private", "s3://shelf/sets/%2F..%2Fprivate",
    ],
)  # fmt: skip
async def test_what_lies_beside_the_prefix_is_not_to_be_had(api: DatasetApi, uri: str) -> None:
    response = await api.client.post(f"{URL}/import", json={"name": "x", "uri": uri}, headers=api.headers)
    assert problem_of(response, 422, "dataset_path_not_allowed")
