"""The S3 store over a network and a server that fail: retried, resumed, bounded, and nothing half-written."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from faulty_proxy import FaultyProxy, faulty_proxy

from data_kit.storage import ObjectStore, StorageError, Timeouts, open_store
from data_kit.storage import store as store_module
from data_kit.storage.store import CHUNK_BYTES

CONTENT = os.urandom(2 * CHUNK_BYTES + 12_345)
QUICK = Timeouts(connect=timedelta(seconds=2), silence=timedelta(seconds=2), retries=3, total=timedelta(seconds=12))
"""Two seconds: on a busy machine an answer may take one."""


@pytest.fixture
def proxy(s3_endpoint: str) -> Iterator[FaultyProxy]:
    with faulty_proxy(s3_endpoint) as proxy:
        yield proxy


@pytest.fixture
def direct(s3_url: str) -> ObjectStore:
    """The bucket without faults."""
    return open_store(s3_url)


@pytest.fixture
def store(direct: ObjectStore, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    return open_store(direct.url, QUICK)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "best.pt"
    path.write_bytes(CONTENT)
    return path


def unfinished_uploads(store: ObjectStore, endpoint: str) -> int:
    """Parts that the bucket holds, and bills, for nothing."""
    bucket = store.url.removeprefix("s3://").partition("/")[0]
    return len(boto3.client("s3", endpoint_url=endpoint).list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def ranges(proxy: FaultyProxy) -> list[str]:
    return [wanted for method, _, wanted in proxy.requests if method == "GET"]


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT", "POST"])
def test_answers_of_a_troubled_server_are_asked_for_again(
    store: ObjectStore, direct: ObjectStore, proxy: FaultyProxy, method: str, status: int
) -> None:
    fault = proxy.add(method, status=status, times=2)

    uri = store.put_bytes(b"content", "a").uri
    assert store.read_bytes(uri) == b"content"
    assert len(list(store.list())) == 1
    store.delete_prefix("a")
    store.delete(uri)

    assert fault.times == 0
    assert not direct.exists(uri)


def test_a_read_that_is_cut_goes_on_with_the_next_byte(
    store: ObjectStore, direct: ObjectStore, proxy: FaultyProxy, file: Path, tmp_path: Path
) -> None:
    stored = direct.put_file(file, "a")
    proxy.add("GET", cut_answer_at=5_000_000)

    assert store.get_file(stored.uri, tmp_path / "out") == stored

    last = len(CONTENT) - 1
    assert ranges(proxy) == [f"bytes=0-{last}", f"bytes=5000000-{last}"]


def test_a_long_object_is_read_over_a_network_that_breaks_again_and_again(
    store: ObjectStore, direct: ObjectStore, proxy: FaultyProxy, file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """More often than one request may be tried: what counts is whether it gets on."""
    monkeypatch.setattr(store_module, "SPAN_BYTES", 2_000_000)
    stored = direct.put_file(file, "a")
    proxy.add("GET", cut_answer_at=1_500_000, times=1000)

    assert store.get_file(stored.uri, tmp_path / "out") == stored
    assert len(ranges(proxy)) > 2 * QUICK.retries


def test_an_object_that_changes_under_a_reader_is_never_a_mixture(
    direct: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SPAN_BYTES", 10)
    uri = direct.put_bytes(b"1" * 100, "a").uri
    reading = direct.read(uri)
    assert next(reading) == b"1" * 10

    direct.put_bytes(b"2" * 100, "a")

    with pytest.raises(StorageError):
        next(reading)


def test_a_server_that_falls_silent_is_asked_again(store: ObjectStore, direct: ObjectStore, proxy: FaultyProxy) -> None:
    uri = direct.put_bytes(b"content", "a").uri
    proxy.add("GET", delay_seconds=30)

    began = time.monotonic()
    assert store.read_bytes(uri) == b"content"
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "fault",
    [
        ("PUT", {"cut_request_at": 3_000_000}),
        ("PUT", {"is_answer_lost": True}),
        ("PUT", {"status": 503, "path": "partNumber=2"}),
        ("PUT", {"delay_seconds": 4.0, "path": "partNumber=1"}),
        ("POST", {"status": 500, "path": "uploads="}),
        ("POST", {"is_answer_lost": True, "path": "uploadId="}),
    ],
    ids=str,
)
def test_a_write_survives_what_happens_once(
    store: ObjectStore, direct: ObjectStore, proxy: FaultyProxy, file: Path, fault: tuple[str, dict[str, Any]]
) -> None:
    asked = proxy.add(fault[0], **fault[1])

    stored = store.put_file(file, "a")

    assert asked.times == 0
    assert direct.read_bytes(stored.uri) == CONTENT
    assert [item.size_bytes for item in direct.list()] == [len(CONTENT)]


@pytest.mark.parametrize(
    "fault",
    [
        ("POST", {"status": 503, "path": "uploads="}),
        ("PUT", {"status": 503, "path": "partNumber=3"}),
        ("PUT", {"status": 403, "path": "partNumber=3"}),
        ("PUT", {"cut_request_at": 1000, "path": "partNumber=3"}),
        ("POST", {"status": 500, "path": "uploadId="}),
    ],
    ids=str,
)
def test_a_write_that_fails_in_the_end_leaves_nothing(
    store: ObjectStore,
    direct: ObjectStore,
    proxy: FaultyProxy,
    s3_endpoint: str,
    file: Path,
    fault: tuple[str, dict[str, Any]],
) -> None:
    proxy.add(fault[0], times=1000, **fault[1])

    with pytest.raises(StorageError) as raised:
        store.put_file(file, "a")

    assert store.uri("a") in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(direct.list()) == []
    assert unfinished_uploads(direct, s3_endpoint) == 0


def test_a_write_that_fails_leaves_the_object_that_was_there(
    store: ObjectStore, direct: ObjectStore, proxy: FaultyProxy, file: Path
) -> None:
    uri = direct.put_bytes(b"old", "a").uri
    proxy.add("PUT", path="partNumber=2", times=1000, status=500)

    with pytest.raises(StorageError):
        store.put_file(file, "a")

    assert direct.read_bytes(uri) == b"old"


@pytest.mark.parametrize("fault", [{"status": 503}, {"delay_seconds": 30.0}, {"cut_answer_at": 0}], ids=str)
def test_a_read_from_a_dead_store_ends_in_time_and_leaves_no_file(
    store: ObjectStore, direct: ObjectStore, proxy: FaultyProxy, tmp_path: Path, fault: dict[str, Any]
) -> None:
    uri = direct.put_bytes(b"content", "a").uri
    proxy.add("GET", times=1000, **fault)

    began = time.monotonic()
    with pytest.raises(StorageError, match="Object storage failed for s3://"):
        store.get_file(uri, tmp_path / "out")

    assert time.monotonic() - began < 20
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_refuses_connections_is_an_error_of_seconds(
    direct: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    store = open_store(direct.url)

    began = time.monotonic()
    with pytest.raises(StorageError, match="Object storage failed for s3://"):
        store.put_bytes(b"", "a")
    assert time.monotonic() - began < 20
