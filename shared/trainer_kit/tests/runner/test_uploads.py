import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data_kit import ObjectStore, StorageError, StoredObject, open_store
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.runner import uploads
from trainer_kit.runner.uploads import Uploader
from trainer_kit.testing.waiting import wait_until
from trainer_kit.trainer.failures import describe_failure
from trainer_kit.trainer.messages import FileReport
from vision_contracts import Artifact, ArtifactKind, Checkpoint, EventBody, Log, LogLevel


class Gate:
    """The store's `put_file`, which waits, and fails as often as it is told to."""

    def __init__(self, store: ObjectStore) -> None:
        self.is_open = threading.Event()
        self.is_open.set()
        self.failures: list[Exception] = []
        self.waiting = threading.Event()
        self._put_file: Callable[[Path, str], StoredObject] = store.put_file

    def put_file(self, path: Path, key: str) -> StoredObject:
        self.waiting.set()
        assert self.is_open.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        return self._put_file(path, key)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "storage").as_uri())


@pytest.fixture
def gate(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate(store)
    monkeypatch.setattr(store, "put_file", gate.put_file)
    monkeypatch.setattr(uploads, "RETRY_SECONDS", (0.01,))
    return gate


@pytest.fixture
def events() -> list[EventBody]:
    return []


@pytest.fixture
def uploader(gate: Gate, store: ObjectStore, folder: AttemptFolder, events: list[EventBody]) -> Iterator[Uploader]:
    uploader = Uploader(store, f"{store.url}/jobs/a/attempts/1", folder, events.append)
    yield uploader
    gate.is_open.set()
    uploader.close(5)


@pytest.fixture
def post(folder: AttemptFolder) -> Callable[..., FileReport]:
    folder.outbox.mkdir()

    def write(step: int | None, *, name: str = "checkpoints/last.pt", is_best: bool = False) -> FileReport:
        path = folder.outbox / f"{len(list(folder.outbox.iterdir()))}-{step}-{is_best}"
        path.write_text(f"{name} {step}")
        kind = ArtifactKind.CHECKPOINT if name.startswith("checkpoints/") else ArtifactKind.PLOT
        relative = str(path.relative_to(folder.path))
        return FileReport(name=name, kind=kind, path=relative, step=step, epoch=1, is_best=is_best)

    return write


def test_a_file_is_stored_then_reported_then_removed(
    uploader: Uploader,
    events: list[EventBody],
    post: Callable[..., FileReport],
    folder: AttemptFolder,
    store: ObjectStore,
) -> None:
    uploader.submit(post(7, is_best=True))
    uploader.submit(post(None, name="plots/curve.png"))
    assert uploader.close(5) is None
    checkpoint, artifact = events
    assert isinstance(checkpoint, Checkpoint)
    assert isinstance(artifact, Artifact)
    assert checkpoint.uri == f"{store.url}/jobs/a/attempts/1/checkpoints/00000007-last.pt"
    assert (checkpoint.step, checkpoint.epoch, checkpoint.is_best) == (7, 1, True)
    assert store.read_bytes(checkpoint.uri) == b"checkpoints/last.pt 7"
    assert (artifact.name, artifact.content_type) == ("plots/curve.png", "image/png")
    assert list(folder.outbox.iterdir()) == []


def test_an_object_is_never_overwritten(
    uploader: Uploader, events: list[EventBody], post: Callable[..., FileReport]
) -> None:
    for _ in range(3):
        report = post(None, name="plots/a.png")
        uploader.submit(report)
    uploader.close(5)
    uris = [event.uri.rpartition("/")[2] for event in events if isinstance(event, Artifact)]
    assert uris == ["a.png", "a-2.png", "a-3.png"]


def test_a_checkpoint_that_waits_is_skipped_for_a_newer_one_but_not_the_best(
    uploader: Uploader, gate: Gate, events: list[EventBody], post: Callable[..., FileReport], folder: AttemptFolder
) -> None:
    gate.is_open.clear()
    uploader.submit(post(1))
    assert gate.waiting.wait(5)
    for step, is_best in ((2, False), (3, True), (4, False), (5, False)):
        uploader.submit(post(step, is_best=is_best))
    gate.is_open.set()
    assert uploader.close(5) is None
    assert [event.step for event in events if isinstance(event, Checkpoint)] == [1, 3, 5]
    assert list(folder.outbox.iterdir()) == []


def test_storage_that_fails_for_a_while_loses_nothing_and_the_log_tells_of_it(
    uploader: Uploader, gate: Gate, events: list[EventBody], post: Callable[..., FileReport]
) -> None:
    gate.failures = [StorageError("away")] * 3
    uploader.submit(post(1))
    uploader.submit(post(None, name="plots/a.png"))
    assert uploader.close(5) is None
    said, back, *stored = events
    assert isinstance(said, Log)
    assert (said.level, said.message.endswith("away")) == (LogLevel.WARNING, True)
    assert back == Log(level=LogLevel.INFO, message="The storage accepts files again.")
    assert [event.type for event in stored] == ["checkpoint", "artifact"]


def test_storage_that_refuses_for_good_ends_the_attempt(
    uploader: Uploader,
    gate: Gate,
    post: Callable[..., FileReport],
    folder: AttemptFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uploads, "GIVE_UP_SECONDS", 0.05)
    gate.failures = [StorageError("403 AccessDenied")] * 1_000
    uploader.submit(post(1))
    failure = wait_until(lambda: uploader.failure, "giving up")
    ending = describe_failure(failure, folder.path)
    assert ending.reason.is_retried
    assert "403 AccessDenied" in ending.message


def test_storage_that_stays_away_is_an_error_at_the_end_and_the_file_stays(
    uploader: Uploader, gate: Gate, events: list[EventBody], post: Callable[..., FileReport], folder: AttemptFolder
) -> None:
    gate.failures = [StorageError("away")] * 1_000
    uploader.submit(post(1))
    error = uploader.close(0.2)
    assert isinstance(error, StorageError)
    assert [event.type for event in events] == ["log"]
    assert len(list(folder.outbox.iterdir())) == 1


def test_a_store_that_hangs_does_not_hold_up_the_end(
    uploader: Uploader, gate: Gate, post: Callable[..., FileReport]
) -> None:
    gate.is_open.clear()
    uploader.submit(post(1))
    assert gate.waiting.wait(5)
    assert isinstance(uploader.close(0.1), TimeoutError)


@pytest.mark.parametrize("name", ["../escape.pt", "/etc/passwd", "plots/../../x"])
def test_a_name_that_leaves_the_attempt_is_refused(
    uploader: Uploader, post: Callable[..., FileReport], name: str
) -> None:
    uploader.submit(post(None, name="plots/x.png").model_copy(update={"name": name}))
    assert isinstance(uploader.close(5), ValueError)
    assert isinstance(uploader.failure, ValueError)
