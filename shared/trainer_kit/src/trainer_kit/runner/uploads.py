"""Uploads of complete files to storage, one after the other, and the event that names each."""

import logging
import mimetypes
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import PurePosixPath

from data_kit import ObjectStore, StorageError, StoredObject
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.trainer.errors import TrainingError
from trainer_kit.trainer.messages import FileReport
from vision_contracts import Artifact, ArtifactKind, Checkpoint, EndReason, EventBody, Log, LogLevel, StoredState

RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
GIVE_UP_SECONDS = 1800.0
"""Time that storage may fail: the results meanwhile would be lost, and the GPU would train in vain."""

log = logging.getLogger(__name__)


class Uploader:
    """A thread that stores files in order.

    A checkpoint that waits while a newer one comes is skipped, unless it is the best one so far: storage that is
    slower than training then costs nothing but that copy. A failed upload is retried until `close`, or for
    GIVE_UP_SECONDS, with a warning in the attempt's log.
    """

    def __init__(
        self, store: ObjectStore, output_uri: str, folder: AttemptFolder, append: Callable[[EventBody], object]
    ) -> None:
        self._store = store
        self._output_uri = output_uri.rstrip("/")
        self._folder = folder
        self._append = append
        self._queue: deque[FileReport] = deque()
        self._used_keys: set[PurePosixPath] = set()
        self._changed = threading.Condition()
        self._deadline: float | None = None
        self._error: Exception | None = None
        self._failing_since: float | None = None
        self._thread = threading.Thread(target=self._work, name="uploader", daemon=True)
        self._thread.start()

    def submit(self, report: FileReport) -> None:
        """Queue a file. It is removed once it is stored, if it lies in the outbox."""
        with self._changed:
            if report.kind is ArtifactKind.CHECKPOINT:
                self._skip_replaced(report)
            self._queue.append(report)
            self._changed.notify()

    def close(self, timeout_seconds: float) -> Exception | None:
        """Wait until everything is stored. Returns the error if something could not be."""
        with self._changed:
            self._deadline = time.monotonic() + timeout_seconds
            self._changed.notify()
        self._thread.join(timeout_seconds + 1)
        if self._error is None and (self._thread.is_alive() or self._queue):
            return TimeoutError(f"{len(self._queue) or 1} files were not stored within {timeout_seconds:g} s")
        return self._error

    @property
    def failure(self) -> Exception | None:
        """The error that ended the uploads; None while they are running or retried."""
        return self._error

    def _skip_replaced(self, newer: FileReport) -> None:
        for waiting in [report for report in self._queue if report.name == newer.name]:
            if newer.is_best or not waiting.is_best:
                self._queue.remove(waiting)
                self._remove(waiting)

    def _work(self) -> None:
        try:
            while (report := self._next()) is not None:
                state = self._store_state(report)
                self._append(_event(report, self._store_file(report), state))
                self._remove(report)
        except Exception as error:
            log.exception("no more files will be stored")
            self._error = error  # the runner sees it, and ends the attempt with it

    def _next(self) -> FileReport | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._deadline is not None)
            return self._queue.popleft() if self._queue else None

    def _store_state(self, report: FileReport) -> StoredState | None:
        if report.state_path is None:
            return None
        name = f"training-state/{PurePosixPath(report.name).name}"
        stored = self._store_file(report.model_copy(update={"name": name, "path": report.state_path}))
        return StoredState(uri=stored.uri, sha256=stored.sha256, size_bytes=stored.size_bytes)

    def _store_file(self, report: FileReport) -> StoredObject:
        key = self._new_key(report)
        for pause in chain(RETRY_SECONDS, repeat(RETRY_SECONDS[-1])):
            try:
                stored = self._store.put_file(self._folder.path / report.path, key)
            except FileNotFoundError:
                raise
            except (StorageError, OSError) as error:
                self._note_failure(report, error)
                if not self._may_retry_after(pause):
                    raise
                log.warning("%s could not be stored; retrying: %s", report.name, error)
            else:
                self._note_success()
                return stored
        raise AssertionError("unreachable")

    def _note_failure(self, report: FileReport, error: Exception) -> None:
        """Log the first failure. Raises TrainingError if storage has failed for too long."""
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
            message = f"{report.name} could not be stored, and is being retried: {error}"
            self._append(Log(level=LogLevel.WARNING, message=message))
        elif now - self._failing_since >= GIVE_UP_SECONDS:
            reason = EndReason.STORAGE_UNAVAILABLE
            message = f"The object storage has accepted no file for {GIVE_UP_SECONDS / 60:.0f} minutes ({error})."
            raise TrainingError(reason, f"{message} {reason.advice}") from error

    def _note_success(self) -> None:
        if self._failing_since is not None:
            self._failing_since = None
            self._append(Log(level=LogLevel.INFO, message="The storage accepts files again."))

    def _may_retry_after(self, pause: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._deadline is not None, pause)
            if self._deadline is None:
                return True
            self._changed.wait(min(pause, max(0.0, self._deadline - time.monotonic())))
            return time.monotonic() < self._deadline

    def _new_key(self, report: FileReport) -> str:
        """Return a key that was never used, so that the object that an event names does not change later."""
        name = PurePosixPath(report.name)
        if name.is_absolute() or ".." in name.parts:
            raise ValueError(f"{report.name!r} is not the name of an artifact.")
        numbered = name if report.step is None else name.with_name(f"{report.step:08d}-{name.name}")
        key, copies = numbered, 1
        while key in self._used_keys:
            copies += 1
            key = numbered.with_name(f"{numbered.stem}-{copies}{numbered.suffix}")
        self._used_keys.add(key)
        return self._store.key(f"{self._output_uri}/{key}")

    def _remove(self, report: FileReport) -> None:
        for name in filter(None, (report.path, report.state_path)):
            path = self._folder.path / name
            if path.parent == self._folder.outbox:
                path.unlink(missing_ok=True)


def _event(report: FileReport, stored: StoredObject, state: StoredState | None) -> Checkpoint | Artifact:
    if report.kind is ArtifactKind.CHECKPOINT:
        return Checkpoint(
            name=report.name,
            uri=stored.uri,
            step=report.step or 0,
            epoch=report.epoch or 0,
            is_best=report.is_best,
            sha256=stored.sha256,
            size_bytes=stored.size_bytes,
            values=report.values,
            state=state,
        )
    content_type = mimetypes.guess_type(report.name)[0] or "application/octet-stream"
    return Artifact(
        name=report.name,
        kind=report.kind,
        uri=stored.uri,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        content_type=content_type,
        step=report.step,
    )
