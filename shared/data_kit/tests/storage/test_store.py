"""One suite for every kind of store."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextvars import copy_context
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest

from data_kit.storage import InvalidKey, ObjectNotFound, ObjectStore, StorageError, before_request, open_store
from data_kit.storage import store as store_module
from data_kit.storage.store import CHUNK_BYTES


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "s3":
        return open_store(request.getfixturevalue("s3_url"))
    return open_store((tmp_path / "my storage").as_uri())


def test_a_stored_file_comes_back_byte_for_byte(store: ObjectStore, tmp_path: Path) -> None:
    content = os.urandom(2 * CHUNK_BYTES + 12_345)
    (tmp_path / "in").write_bytes(content)

    stored = store.put_file(tmp_path / "in", "jobs/1/best.pt")

    assert stored.size_bytes == len(content)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert store.get_file(stored.uri, tmp_path / "out") == stored
    assert (tmp_path / "out").read_bytes() == content


def test_parts_are_so_large_that_a_bucket_takes_them_all(
    s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parts stand for the ten thousand that S3 allows."""
    monkeypatch.setattr(store_module, "PLANNED_PARTS", 2)
    store, content = open_store(s3_url), os.urandom(2 * CHUNK_BYTES + 12_345)
    (tmp_path / "in").write_bytes(content)

    uri = store.put_file(tmp_path / "in", "large").uri
    uris = [uri, store.put_stream(iter([content[:9], content[9:]]), "of unknown size").uri]

    assert all(store.read_bytes(uri) == content for uri in uris)
    assert num_parts(store, "large") == 2
    assert num_parts(store, "of unknown size") == 1


def num_parts(store: ObjectStore, key: str) -> int:
    """Read the number of parts from the ETag that S3 gives to the content."""
    bucket, _, prefix = store.url.removeprefix("s3://").partition("/")
    found = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).head_object(
        Bucket=bucket, Key=f"{prefix}/{key}" if prefix else key
    )
    return int(found["ETag"].strip('"').partition("-")[2] or 1)


@pytest.mark.parametrize("size_bytes", [None, 1, 78 * 1024**3, 500 * 1024**3, 5 * 1024**4])
def test_no_object_has_more_than_ten_thousand_parts(size_bytes: int | None) -> None:
    part = store_module._part_bytes(size_bytes)

    assert (size_bytes or 600 * 1024**3) / part <= 10_000
    assert part >= 5 * 1024**2  # S3 takes no smaller ones


@pytest.mark.parametrize("content", [b"", b"x", b"y" * CHUNK_BYTES])
def test_objects_of_one_chunk_and_less_are_stored(store: ObjectStore, content: bytes) -> None:
    stored = store.put_bytes(content, "a/b")

    assert store.read_bytes(stored.uri) == content
    assert stored.sha256 == hashlib.sha256(content).hexdigest()


def test_a_range_is_what_was_asked_for(store: ObjectStore) -> None:
    uri = store.put_bytes(bytes(range(100)), "range").uri

    assert b"".join(store.read(uri, 10, 5)) == bytes(range(10, 15))
    assert b"".join(store.read(uri, 95)) == bytes(range(95, 100))
    assert b"".join(store.read(uri, 95, 50)) == bytes(range(95, 100))
    assert b"".join(store.read(uri, 100)) == b""


@pytest.mark.parametrize("largest", [10, 1000], ids=["through us", "by the store"])
def test_a_copy_stays_when_the_original_goes(store: ObjectStore, monkeypatch: pytest.MonkeyPatch, largest: int) -> None:
    monkeypatch.setattr(store_module, "LARGEST_COPY_BYTES", largest)
    original = store.put_bytes(b"weights" * 10, "jobs/1/best.pt").uri

    copy = store.copy(original, "models/1/weights")
    store.delete_prefix("jobs/1")

    assert copy == store.uri("models/1/weights")
    assert store.read_bytes(copy) == b"weights" * 10
    with pytest.raises(ObjectNotFound):
        store.copy(original, "models/2/weights")


def test_a_copy_of_many_chunks_through_us_is_the_same(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LARGEST_COPY_BYTES", 10)
    monkeypatch.setattr(store_module, "SPAN_BYTES", CHUNK_BYTES)
    content = os.urandom(3 * CHUNK_BYTES + 12_345)
    original = store.put_bytes(content, "jobs/1/best.pt").uri

    assert store.read_bytes(store.copy(original, "models/1/weights")) == content


def test_a_copy_whose_original_breaks_off_leaves_no_object(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(uri: str) -> Iterator[bytes]:
        yield b"1" * CHUNK_BYTES
        yield b"2" * CHUNK_BYTES
        raise StorageError(f"cut off: {uri}")

    monkeypatch.setattr(store_module, "LARGEST_COPY_BYTES", 10)
    original = store.put_bytes(b"weights" * 10, "jobs/1/best.pt").uri
    monkeypatch.setattr(store, "local_path", lambda uri: None)
    monkeypatch.setattr(store, "read", broken)

    with pytest.raises(StorageError, match="cut off"):
        store.copy(original, "models/1/weights")
    assert [found.uri for found in store.list()] == [original]


def test_a_list_holds_what_lies_in_the_folder_and_no_more(store: ObjectStore) -> None:
    for key in ("jobs/1/a", "jobs/1/deep/b", "jobs/10/c", "other"):
        store.put_bytes(key.encode(), key)

    found = list(store.list("jobs/1"))

    assert sorted(item.uri for item in found) == [store.uri("jobs/1/a"), store.uri("jobs/1/deep/b")]
    assert sum(item.size_bytes for item in found) == len("jobs/1/a") + len("jobs/1/deep/b")
    assert len(list(store.list())) == 4


def test_a_deleted_object_is_gone_and_deleting_it_again_is_no_error(store: ObjectStore) -> None:
    uri = store.put_bytes(b"1", "gone").uri

    store.delete(uri)
    store.delete(uri)

    assert not store.exists(uri)
    with pytest.raises(ObjectNotFound):
        store.read(uri)


def test_deleting_a_folder_leaves_its_neighbours(store: ObjectStore) -> None:
    for key in ("jobs/1/a", "jobs/1/b/c", "jobs/10/d"):
        store.put_bytes(b"", key)

    assert store.delete_prefix("jobs/1") == 2
    assert [item.uri for item in store.list()] == [store.uri("jobs/10/d")]
    assert store.delete_prefix("jobs/1") == 0


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../../up", "a//b", "./a", "a\nb"])
def test_a_key_that_is_no_relative_path_is_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(InvalidKey):
        store.put_bytes(b"", key)
    with pytest.raises(InvalidKey):
        store.head(f"{store.url}/{key}")


def test_uris_of_another_store_are_not_contained(store: ObjectStore) -> None:
    assert store.contains(store.uri("a"))
    assert not store.contains("s3://elsewhere/a")
    assert not store.contains(store.url)
    assert not store.contains(f"{store.url}-other/a")
    assert not store.contains(f"{store.url}/../a")


def test_a_broken_upload_leaves_no_object(store: ObjectStore) -> None:
    def chunks():
        yield b"1" * CHUNK_BYTES
        yield b"2" * CHUNK_BYTES
        raise ConnectionError("cut")

    with pytest.raises((ConnectionError, StorageError)):
        store.put_stream(chunks(), "partial")

    assert list(store.list()) == []


KILLED = """
import os, signal, sys
from data_kit.storage import open_store

def chunks():
    for _ in range(4):
        yield b"1" * 2**23
    os.kill(os.getpid(), signal.SIGKILL)

open_store(sys.argv[1]).put_stream(chunks(), sys.argv[2])
"""


def killed_over(store: ObjectStore, key: str) -> None:
    """A process that is killed in the middle of writing an object."""
    done = subprocess.run([sys.executable, "-c", KILLED, store.url, key], check=False)
    assert done.returncode == -signal.SIGKILL


def test_what_a_killed_writer_left_goes_when_it_is_old(tmp_path: Path) -> None:
    store = open_store((tmp_path / "my storage").as_uri())
    store.put_bytes(b"1", "jobs/1/whole")
    killed_over(store, "jobs/1/part")

    [left] = store.list_unfinished()
    assert left.uri.startswith(store.uri("jobs/1/part").replace(" ", "%20"))
    assert store.delete_unfinished(before=left.modified_at) == 0
    assert store.delete_unfinished(before=left.modified_at + timedelta(seconds=1)) == 1

    assert list(store.list_unfinished()) == []
    assert [item.uri for item in store.list()] == [store.uri("jobs/1/whole")]


def test_a_deleted_folder_leaves_nothing_of_a_killed_writer(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    store.put_bytes(b"1", "jobs/1/whole")
    killed_over(store, "jobs/1/part")

    assert store.delete_prefix("jobs/1") == 1

    assert list(tmp_path.iterdir()) == [tmp_path / "jobs"]
    assert list((tmp_path / "jobs").iterdir()) == []


def test_a_bucket_shows_nothing_unfinished(s3_url: str) -> None:
    store = open_store(s3_url)
    store.put_bytes(b"1", "a")

    assert list(store.list_unfinished()) == []


def test_a_broken_download_leaves_the_old_file(store: ObjectStore, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    with pytest.raises(ObjectNotFound):
        store.get_file(store.uri("nothing"), target)

    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]
    assert target.read_bytes() == b"old"


def test_a_presigned_url_opens_the_object(s3_url: str) -> None:
    store = open_store(s3_url)
    uri = store.put_bytes(b"open", "a").uri

    url = store.presigned_url(uri, timedelta(minutes=1))

    assert url is not None
    with urlopen(url) as response:
        assert response.read() == b"open"


def test_objects_of_a_local_store_can_be_read_in_place(tmp_path: Path, s3_url: str) -> None:
    local, remote = open_store((tmp_path / "a b").as_uri()), open_store(s3_url)
    path = local.local_path(local.put_bytes(b"1", "deep/a").uri)

    assert path is not None
    assert path.read_bytes() == b"1"
    assert remote.local_path(remote.uri("a")) is None


def test_a_local_store_presigns_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())

    assert store.presigned_url(store.put_bytes(b"", "a").uri, timedelta(minutes=1)) is None


@pytest.mark.parametrize("url", ["ftp://host/x", "/just/a/path", "s3:///no-bucket", ""])
def test_an_unknown_kind_of_storage_is_refused(url: str) -> None:
    with pytest.raises(InvalidKey):
        open_store(url)


def test_a_store_that_does_not_answer_is_a_storage_error(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(s3_url.replace("s3://", "s3://missing-"))

    with pytest.raises(StorageError):
        store.put_bytes(b"", "a")


def test_code_that_must_not_wait_for_a_store_can_forbid_every_request(store: ObjectStore) -> None:
    class Forbidden(Exception):
        pass

    def forbid() -> None:
        raise Forbidden

    uri = store.put_bytes(b"weights", "a").uri

    context = copy_context()
    context.run(before_request.set, forbid)
    for request in (store.read_bytes, store.head, store.exists, store.delete):
        with pytest.raises(Forbidden):
            context.run(request, uri)

    assert store.read_bytes(uri) == b"weights"
