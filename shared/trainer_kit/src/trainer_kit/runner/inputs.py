"""Download of a trainer's inputs to this machine: its data set and its checkpoints."""

import hashlib
import logging
import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from data_kit import ObjectNotFound, ObjectStore, StorageError, extract_archive
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.file_lock import FileLock
from trainer_kit.runner.dataset_cache import DatasetCache
from trainer_kit.trainer.errors import TrainingError
from trainer_kit.trainer.main import TrainerInputs
from vision_contracts import CheckpointRef, DatasetRef, EndReason, JobKind, JobSpec, PredictOperation

log = logging.getLogger(__name__)

SHA256 = re.compile(r"[0-9a-f]{64}")


class InputFetcher:
    """Fetches the inputs of one attempt. `dataset_lock` holds the data set in the cache while the attempt runs."""

    def __init__(self, folder: AttemptFolder, store: ObjectStore, cache: DatasetCache) -> None:
        self._folder = folder
        self._store = store
        self._cache = cache
        self.dataset_lock: FileLock | None = None

    def fetch(self, adapter: str, spec: JobSpec) -> TrainerInputs:
        """Fetch all inputs. Raises TrainingError if one is missing or unreachable (the store itself retries)."""
        resume_from = state = best = initial = None
        if spec.resume_from_uri is not None:
            resume_from = self._fetch_checkpoint("resume", CheckpointRef(uri=spec.resume_from_uri))
            if spec.resume_state_uri is not None:
                state = self._fetch_checkpoint("state", CheckpointRef(uri=spec.resume_state_uri))
            best = self._fetch_best(spec, resume_from)
        elif isinstance(spec.initial_weights, CheckpointRef):
            initial = self._fetch_checkpoint("initial", spec.initial_weights)
        dataset = None if spec.kind is JobKind.PREDICT else self._fetch_dataset(spec.dataset)
        images = self._fetch_images(spec.work) if isinstance(spec.work, PredictOperation) else None
        return TrainerInputs(adapter, dataset, resume_from, state, best, initial, images)

    def _fetch_dataset(self, dataset: DatasetRef) -> Path:
        path = local_path(dataset.uri)
        if path is not None and path.is_dir():
            return path
        key = dataset.digest if dataset.digest and SHA256.fullmatch(dataset.digest) else _sha256_text(dataset.uri)
        try:
            final, self.dataset_lock = self._cache.use(key, lambda partial: self._download(dataset.uri, partial))
        except TimeoutError as error:
            reason = EndReason.STORAGE_UNAVAILABLE
            raise TrainingError(reason, f"{error} {reason.advice}") from error
        return final

    def _download(self, uri: str, target: Path) -> None:
        archive = target.with_suffix(".zip")
        try:
            self._get(uri, archive, missing=EndReason.BAD_DATA)
            extract_archive(archive, target)
        finally:
            archive.unlink(missing_ok=True)

    def _fetch_images(self, operation: PredictOperation) -> Path:
        """Fetch the images into a folder, numbered from 0: their own names come from users."""
        folder = self._folder.downloads / "images"
        folder.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(operation.images):
            self._get(image.uri, folder / str(number), missing=EndReason.BAD_DATA)
        return folder

    def _fetch_best(self, spec: JobSpec, resume_from: Path) -> Path | None:
        """Fetch the best checkpoint so far for the report. Training continues without it: a better one may come."""
        if spec.best_checkpoint_uri is None or spec.best_checkpoint_uri == spec.resume_from_uri:
            return resume_from if spec.best_checkpoint_uri else None
        try:
            return self._fetch_checkpoint("best", CheckpointRef(uri=spec.best_checkpoint_uri))
        except TrainingError as error:
            log.warning("the best checkpoint so far cannot be fetched: %s", error)
            return None

    def _fetch_checkpoint(self, name: str, checkpoint: CheckpointRef) -> Path:
        path = self._in_place(checkpoint.uri)
        if path is None:
            self._folder.downloads.mkdir(exist_ok=True)
            path = self._folder.downloads / f"{name}{PurePosixPath(urlsplit(checkpoint.uri).path).suffix}"
            self._get(checkpoint.uri, path, missing=EndReason.WEIGHTS_UNAVAILABLE)
        if checkpoint.sha256 is not None and _sha256(path) != checkpoint.sha256:
            message = f"{checkpoint.uri} is not the file that it was (its SHA-256 differs). Choose another checkpoint."
            raise TrainingError(EndReason.WEIGHTS_UNAVAILABLE, message)
        return path

    def _in_place(self, uri: str) -> Path | None:
        """Return the file of a store on this machine: copying a large one takes longer than a prediction."""
        path = self._store.local_path(uri) if self._store.contains(uri) else None
        return path if path is not None and path.is_file() else None

    def _get(self, uri: str, path: Path, *, missing: EndReason) -> None:
        if not self._store.contains(uri):
            message = f"{uri} does not lie in the storage of this service, {self._store.url}."
            raise TrainingError(missing, f"{message} Give the service the same STORAGE_URL as the backend.")
        try:
            self._store.get_file(uri, path)
        except ObjectNotFound as error:
            raise TrainingError(missing, f"{uri} is no longer in the storage. {missing.advice}") from error
        except StorageError as error:
            message = f"The object storage cannot be reached from the training service ({error})."
            raise TrainingError(EndReason.STORAGE_UNAVAILABLE, f"{message} Check its STORAGE_URL.") from error


def local_path(uri: str) -> Path | None:
    """Return the path that a `file://` URI names on this machine; None for another kind of URI."""
    parts = urlsplit(uri)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _sha256_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
