import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from data_kit import DatasetError, ObjectStore, StorageError, open_dataset, open_store, write_archive
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.runner import dataset_cache
from trainer_kit.runner.dataset_cache import DatasetCache
from trainer_kit.runner.inputs import InputFetcher
from trainer_kit.testing.specs import changed
from trainer_kit.trainer import TrainingError
from trainer_kit.trainer.main import TrainerInputs
from vision_contracts import CheckpointRef, DatasetRef, EndReason, JobSpec

DIGEST = "ab" * 32


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "storage").as_uri())


@pytest.fixture
def fetcher(folder: AttemptFolder, store: ObjectStore, tmp_path: Path) -> InputFetcher:
    return InputFetcher(folder, store, DatasetCache(tmp_path / "datasets", 10**9))


@pytest.fixture
def spec(folder: AttemptFolder) -> JobSpec:
    return folder.read_spec()


@pytest.fixture
def archived(store: ObjectStore, dataset_path: Path, tmp_path: Path) -> DatasetRef:
    write_archive(open_dataset(dataset_path), tmp_path / "a.zip")
    return DatasetRef(uri=store.put_file(tmp_path / "a.zip", "datasets/a.zip").uri, digest=DIGEST)


def test_a_folder_is_used_where_it_is(fetcher: InputFetcher, spec: JobSpec, dataset_path: Path) -> None:
    assert fetcher.fetch("x:y", spec) == TrainerInputs("x:y", dataset_path)
    assert fetcher.dataset_lock is None


def test_an_archive_is_unpacked_into_the_cache_and_held_there(
    fetcher: InputFetcher, spec: JobSpec, archived: DatasetRef, dataset_path: Path, tmp_path: Path
) -> None:
    inputs = fetcher.fetch("x:y", changed(spec, dataset=archived.model_dump()))
    assert inputs.dataset == tmp_path / "datasets" / DIGEST
    assert open_dataset(inputs.dataset).class_names == open_dataset(dataset_path).class_names
    assert fetcher.dataset_lock is not None
    assert not list((tmp_path / "datasets").glob("*.zip"))


@pytest.mark.parametrize("digest", [None, "../../escape", "a/b", ""])
def test_a_digest_that_is_none_never_names_a_path(
    fetcher: InputFetcher, spec: JobSpec, archived: DatasetRef, tmp_path: Path, digest: str | None
) -> None:
    inputs = fetcher.fetch("x:y", changed(spec, dataset={"uri": archived.uri, "digest": digest}))
    assert inputs.dataset.parent == tmp_path / "datasets"
    assert inputs.dataset.name == hashlib.sha256(archived.uri.encode()).hexdigest()


def test_a_broken_archive_is_the_data_sets_fault(
    fetcher: InputFetcher, spec: JobSpec, store: ObjectStore, tmp_path: Path
) -> None:
    uri = store.put_bytes(b"no zip", "datasets/b.zip").uri
    with pytest.raises(DatasetError):
        fetcher.fetch("x:y", changed(spec, dataset={"uri": uri, "digest": DIGEST}))
    assert not (tmp_path / "datasets" / DIGEST).exists()


def test_an_archive_that_another_job_never_has_fetched_is_a_loss_of_infrastructure(
    fetcher: InputFetcher, spec: JobSpec, archived: DatasetRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_cache, "WAIT_SECONDS", 0.0)
    hold = (
        "import sys, pathlib, trainer_kit.file_lock as f;"
        "lock = f.FileLock(pathlib.Path(sys.argv[1])); print(lock.acquire(), flush=True); input()"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / "datasets" / f"{DIGEST}.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        with pytest.raises(TrainingError, match="Another job has been fetching") as caught:
            fetcher.fetch("x:y", changed(spec, dataset=archived.model_dump()))
        other.kill()
    assert caught.value.reason is EndReason.STORAGE_UNAVAILABLE


def test_the_best_checkpoint_comes_with_the_one_to_go_on_from_and_may_be_missing(
    fetcher: InputFetcher, spec: JobSpec, store: ObjectStore
) -> None:
    last, best = (store.put_bytes(name.encode(), f"jobs/x/{name}.pt").uri for name in ("last", "best"))

    def fetch(uri: str) -> Path | None:
        return fetcher.fetch("x:y", changed(spec, resume_from_uri=last, best_checkpoint_uri=uri)).best_checkpoint

    for uri, content in ((best, b"best"), (last, b"last")):
        found = fetch(uri)
        assert found is not None
        assert found.read_bytes() == content
    assert fetch(f"{store.url}/jobs/x/gone.pt") is None


def test_an_archive_that_would_write_elsewhere_is_refused(
    fetcher: InputFetcher, spec: JobSpec, store: ObjectStore, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../../escaped.txt", "out")
    uri = store.put_file(tmp_path / "evil.zip", "datasets/evil.zip").uri
    with pytest.raises(DatasetError):
        fetcher.fetch("x:y", changed(spec, dataset={"uri": uri, "digest": DIGEST}))
    assert not list(tmp_path.rglob("escaped.txt"))


def test_checkpoints_are_fetched_with_their_suffix(fetcher: InputFetcher, spec: JobSpec, store: ObjectStore) -> None:
    uri = store.put_bytes(b"weights", "jobs/x/checkpoints/00000003-last.safetensors").uri
    resumed = fetcher.fetch("x:y", changed(spec, resume_from_uri=uri))
    assert resumed.resume_from is not None
    assert (resumed.resume_from.suffix, resumed.resume_from.read_bytes()) == (".safetensors", b"weights")
    assert resumed.best_checkpoint is None
    assert resumed.initial_checkpoint is None
    sha256 = hashlib.sha256(b"weights").hexdigest()
    forked = fetcher.fetch("x:y", changed(spec, initial_weights=CheckpointRef(uri=uri, sha256=sha256).model_dump()))
    assert forked.initial_checkpoint is not None
    assert forked.resume_from is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"resume_from_uri": "{store}/none.pt"}, EndReason.WEIGHTS_UNAVAILABLE),
        ({"resume_from_uri": "file:///elsewhere/none.pt"}, EndReason.WEIGHTS_UNAVAILABLE),
        ({"initial_weights": {"uri": "{store}/other.pt", "sha256": "0" * 64}}, EndReason.WEIGHTS_UNAVAILABLE),
        ({"dataset": {"uri": "{store}/none.zip"}}, EndReason.BAD_DATA),
    ],
)
def test_what_is_not_there_is_named(
    fetcher: InputFetcher, spec: JobSpec, store: ObjectStore, change: dict[str, object], reason: EndReason
) -> None:
    store.put_bytes(b"other", "other.pt")
    filled = JobSpec.model_validate_json(changed(spec, **change).model_dump_json().replace("{store}", store.url))
    with pytest.raises(TrainingError) as caught:
        fetcher.fetch("x:y", filled)
    assert caught.value.reason is reason
    assert "none" in str(caught.value) or "other.pt" in str(caught.value)


def test_storage_that_cannot_be_reached_is_not_the_users_fault(
    fetcher: InputFetcher, spec: JobSpec, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_uri: str, _path: Path) -> None:
        raise StorageError("connection refused")

    monkeypatch.setattr(store, "get_file", fail)
    with pytest.raises(TrainingError) as caught:
        fetcher.fetch("x:y", changed(spec, resume_from_uri=f"{store.url}/a.pt"))
    assert caught.value.reason is EndReason.STORAGE_UNAVAILABLE
