"""The tus client that people use, against a backend that is killed in the middle; and how much memory uploads take."""

import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from backend_process import Backend
from dataset_api import png
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from data_kit import dataset_digest, extract_archive, open_dataset

pytestmark = pytest.mark.filterwarnings(  # the client closes neither its files nor its connections
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
CHUNK_BYTES = 3 * 1024**2
MEGABYTES = int(os.environ.get("UPLOAD_MEGABYTES", "256"))
"""`UPLOAD_MEGABYTES=10240 pytest tests/datasets/test_tus_client.py -k memory -s` tries it with 10 GB."""


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    backend = Backend(tmp_path)
    backend.start()
    backend.sign_in()
    yield backend
    backend.kill()


def archive_of(path: Path, megabytes: int) -> Path:
    """An ImageFolder with that much noise in a file beside the images."""
    with zipfile.ZipFile(path, "w") as packed:
        for name in ("cat", "dog"):
            for index in range(3):
                packed.writestr(f"{name}/{index}.png", png((index, len(name), 0)))
        with packed.open("notes.txt", "w", force_zip64=True) as notes:
            for _ in range(megabytes):
                notes.write(os.urandom(1024**2))
    return path


def uploader(backend: Backend, path: Path, **more: Any) -> Any:
    headers = {"Authorization": backend.client.headers["Authorization"]}
    client = TusClient(f"http://127.0.0.1:{backend.port}/api/v1/uploads", headers=headers)
    metadata = {"name": "noise", "filename": path.name}
    return client.uploader(file_stream=path.open("rb"), chunk_size=CHUNK_BYTES, metadata=metadata, **more)


def test_an_upload_goes_on_after_a_cut_and_after_a_kill(backend: Backend, tmp_path: Path) -> None:
    path = archive_of(tmp_path / "noise.zip", 40)
    first = uploader(backend, path)
    first.upload(stop_at=8 * 1024**2)
    killer = threading.Timer(0.05, backend.kill)
    killer.start()
    with pytest.raises((TusCommunicationError, requests.RequestException)):  # noqa: PT012 - it may take a few
        while True:
            first.upload_chunk()
    killer.join()

    backend.start()
    second = uploader(backend, path, url=first.url)
    assert 8 * 1024**2 <= second.offset < path.stat().st_size
    second.upload()

    told = backend.client.get(first.url).json()
    assert told["offset"] == told["length"] == path.stat().st_size
    dataset = backend.wait_until_processed(told["dataset_id"])
    assert (dataset["status"], dataset["num_images"]) == ("ready", 6)
    assert len(backend.client.get("/api/v1/datasets").json()) == 1
    assert dataset["digest"] == digest_of(path)


def digest_of(path: Path) -> str:
    folder = path.with_suffix("")
    extract_archive(path, folder)
    return dataset_digest(open_dataset(folder))


def test_a_large_upload_takes_no_more_memory_either_way(backend: Backend, tmp_path: Path) -> None:
    path = archive_of(tmp_path / "noise.zip", MEGABYTES)
    patience = 60 + MEGABYTES / 5
    backend.client.timeout = patience
    before = backend.forget_peak()
    resumable = uploader(backend, path)
    resumable.upload()
    first = backend.client.get(resumable.url).json()["dataset_id"]
    assert backend.wait_until_processed(first, patience)["status"] == "ready"
    grown = backend.peak_bytes() - before
    before_form = backend.forget_peak()
    with path.open("rb") as file:
        form = backend.client.post("/api/v1/datasets", files={"file": file}, data={"name": "form"}).json()
    assert backend.wait_until_processed(form["id"], patience)["status"] == "ready"
    grown_form = backend.peak_bytes() - before_form

    print(f"{MEGABYTES} MB: resumable +{grown >> 20} MB, form +{grown_form >> 20} MB")
    assert grown < 64 * 1024**2
    assert grown_form < 64 * 1024**2
