"""The tus client that people use, against a backend that is killed in the middle; and how much memory uploads take."""

import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import requests
from support.backend_process import Backend
from support.dataset_api import png
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from data_kit import dataset_digest, extract_archive, open_dataset

CHUNK_BYTES = 20 * 1024**2
MEGABYTES = int(os.environ.get("UPLOAD_MEGABYTES", "160"))
"""10 GB: `UPLOAD_MEGABYTES=10240 pytest … -m thorough -s -o faulthandler_timeout=0` with this file."""


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    backend = Backend(tmp_path)
    backend.start()
    backend.sign_in()
    yield backend
    backend.kill()
    backend.client.close()


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


def uploader(backend: Backend, file: BinaryIO, **more: Any) -> Any:
    headers = {"Authorization": backend.client.headers["Authorization"]}
    client = TusClient(f"http://127.0.0.1:{backend.port}/api/v1/uploads", headers=headers)
    metadata = {"name": "noise", "filename": "noise.zip"}
    return client.uploader(file_stream=file, chunk_size=CHUNK_BYTES, metadata=metadata, **more)


def test_an_upload_goes_on_after_a_cut_and_after_a_kill(backend: Backend, tmp_path: Path) -> None:
    path = archive_of(tmp_path / "noise.zip", 48)
    with path.open("rb") as file:
        first = uploader(backend, file)
        first.upload(stop_at=8 * 1024**2)
        killer = threading.Timer(0.05, backend.kill)
        killer.start()
        with pytest.raises((TusCommunicationError, requests.RequestException)):
            uploader(backend, file, url=first.url).upload()
        killer.join()

        backend.start()
        last = uploader(backend, file, url=first.url)
        assert 8 * 1024**2 <= last.offset < path.stat().st_size
        last.upload()

    reported = backend.client.get(first.url).json()
    assert reported["offset"] == reported["length"] == path.stat().st_size
    dataset = backend.wait_until_processed(reported["dataset_id"])
    assert (dataset["status"], dataset["num_images"]) == ("ready", 6)
    assert len(backend.client.get("/api/v1/datasets").json()) == 1
    assert dataset["digest"] == digest_of(path)


def digest_of(path: Path) -> str:
    folder = path.with_suffix("")
    extract_archive(path, folder)
    return dataset_digest(open_dataset(folder))


@pytest.mark.thorough
def test_a_large_upload_takes_no_more_memory_than_a_small_one_either_way(backend: Backend, tmp_path: Path) -> None:
    path = archive_of(tmp_path / "noise.zip", MEGABYTES)
    patience = 60 + MEGABYTES / 5
    backend.client.timeout = patience
    at_rest = backend.forget_peak()

    with path.open("rb") as file:
        resumable = uploader(backend, file)
        resumable.upload()
    grown = {"resumable": backend.peak_bytes() - at_rest}
    first = backend.client.get(resumable.url).json()["dataset_id"]
    assert backend.wait_until_processed(first, patience)["status"] == "ready"
    grown["processing"] = backend.peak_bytes() - at_rest
    at_rest = backend.forget_peak()
    with path.open("rb") as file:
        form = backend.client.post("/api/v1/datasets", files={"file": file}, data={"name": "form"}).json()
    grown["form"] = backend.peak_bytes() - at_rest
    assert backend.wait_until_processed(form["id"], patience)["status"] == "ready"

    print(f"{MEGABYTES} MB:", *(f"{name} +{size >> 20} MB" for name, size in grown.items()))
    assert max(grown["resumable"], grown["form"]) < 64 * 1024**2
    assert grown["processing"] < 96 * 1024**2
