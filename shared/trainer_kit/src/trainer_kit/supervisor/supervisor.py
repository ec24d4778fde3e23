"""Everything that one instance holds: attempts that run, and attempts that have ended but are not deleted yet."""

import logging
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

from trainer_kit.attempt_folder import AttemptFolder, StopOrder
from trainer_kit.files import write_atomically
from trainer_kit.supervisor.attempt import Attempt
from trainer_kit.supervisor.errors import AttemptSuperseded, Draining, NoFreeSlot, StillRunning, UnknownAttempt
from trainer_kit.supervisor.launcher import Launcher
from vision_contracts import HeldJob, JobSpec, StopRequest

SUPERSEDE_SECONDS = 5.0
TRASH = "trash"

log = logging.getLogger(__name__)


class Supervisor:
    """Holds attempts. What it knows stands in DATA_DIR, so that the next process goes on where this one was killed.

    Its methods block for a moment and are safe to call from several threads; `look_after` is to be called several
    times a second.
    """

    def __init__(self, data_dir: Path, slots: int, launcher: Launcher) -> None:
        self.slots = slots
        self.is_draining = False
        self.boot_id = uuid4()
        self._data_dir = data_dir
        self._launcher = launcher
        self._mutex = threading.RLock()
        self.instance_id = _instance_id(data_dir / "instance_id")
        self._empty_trash()
        self._attempts = {(attempt.job_uid, attempt.number): attempt for attempt in _find_attempts(data_dir)}

    @property
    def free_slots(self) -> int:
        if self.is_draining:
            return 0
        return max(0, self.slots - len(self._running()))

    def list_held(self) -> list[HeldJob]:
        """All attempts, of each job the oldest first."""
        with self._mutex:
            attempts = sorted(self._attempts.values(), key=lambda held: (str(held.job_uid), held.number))
        return [attempt.describe() for attempt in attempts]

    def find(self, job_uid: UUID, attempt: int | None = None) -> Attempt:
        """That attempt, or the newest one of the job. Raises UnknownAttempt."""
        with self._mutex:
            held = [one for one in self._of_job(job_uid) if attempt in (None, one.number)]
        if not held:
            which = f"job {job_uid}" if attempt is None else f"attempt {attempt} of job {job_uid}"
            raise UnknownAttempt(f"This instance does not hold {which}.")
        return held[-1]

    def start(self, spec: JobSpec) -> HeldJob:
        """Starts an attempt; the same one again is answered with what has become of it.

        A newer attempt ends an older one of its job. Raises NoFreeSlot, AttemptSuperseded or Draining, and OSError if
        no runner can be started; then nothing is held.
        """
        with self._mutex:
            older = self._of_job(spec.job_uid)
            if any(one.number == spec.attempt for one in older):
                return self.find(spec.job_uid, spec.attempt).describe()
            if any(one.number > spec.attempt for one in older):
                raise AttemptSuperseded(f"Attempt {older[-1].number} of job {spec.job_uid} is newer.")
            if self.is_draining:
                raise Draining("This instance is about to end. Choose another one.")
            self._end_all([one for one in older if one.is_running])
            if self.free_slots == 0:
                raise NoFreeSlot(f"All {self.slots} slots of this instance are taken. Try again when a job has ended.")
            return self._begin(spec).describe()

    def stop(self, job_uid: UUID, request: StopRequest) -> HeldJob:
        """Leaves the order to stop; does nothing to an attempt that has ended."""
        with self._mutex:
            attempt = self.find(job_uid, request.attempt)
            if attempt.is_running:
                attempt.order_stop(StopOrder(**request.model_dump()))
            return attempt.describe()

    def delete(self, job_uid: UUID, attempt: int | None = None) -> None:
        """Frees the disk of one attempt, or of the whole job. Raises StillRunning."""
        with self._mutex:
            self.find(job_uid, attempt)
            doomed = [one for one in self._of_job(job_uid) if attempt in (None, one.number)]
            if any(one.is_running for one in doomed):
                raise StillRunning(f"Job {job_uid} is running. Stop it first.")
            for one in doomed:
                self._move_to_trash(one.folder.path)
                del self._attempts[one.job_uid, one.number]
        self._empty_trash()

    def look_after(self) -> None:
        """Notices what has died, and says so in its events."""
        with self._mutex:
            attempts = list(self._attempts.values())
        for attempt in attempts:
            try:
                attempt.look_after(self._launcher)
            except Exception:
                log.exception("attempt %s of job %s could not be looked after", attempt.number, attempt.job_uid)

    def drain(self, grace_seconds: float) -> None:
        """Takes on nothing any more, and pauses what runs."""
        self.is_draining = True
        with self._mutex:
            for attempt in self._running():
                attempt.order_stop(StopOrder(attempt=attempt.number, mode="pause", grace_seconds=grace_seconds))

    def is_idle(self) -> bool:
        """Nothing runs."""
        return not self._running()

    def _running(self) -> list[Attempt]:
        with self._mutex:
            return [attempt for attempt in self._attempts.values() if attempt.is_running]

    def _of_job(self, job_uid: UUID) -> list[Attempt]:
        return sorted(
            (attempt for attempt in self._attempts.values() if attempt.job_uid == job_uid), key=lambda held: held.number
        )

    def _begin(self, spec: JobSpec) -> Attempt:
        """The folder appears complete: a service that is killed here leaves an attempt that the next one ends."""
        folder = AttemptFolder.at(self._data_dir, spec.job_uid, spec.attempt)
        partial = self._data_dir / TRASH / f"new-{uuid4()}"
        write_atomically(partial / folder.spec_file.name, spec.model_dump_json(indent=1).encode())
        folder.path.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(folder.path)
        try:
            runner = self._launcher.launch(folder)
        except BaseException:
            self._move_to_trash(folder.path)
            raise
        attempt = Attempt(spec.job_uid, folder, runner)
        self._attempts[spec.job_uid, spec.attempt] = attempt
        return attempt

    def _end_all(self, attempts: list[Attempt]) -> None:
        for attempt in attempts:
            attempt.order_stop(StopOrder(attempt=attempt.number, mode="kill"))
        deadline = time.monotonic() + SUPERSEDE_SECONDS
        while any(attempt.is_running for attempt in attempts) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _move_to_trash(self, folder: Path) -> None:
        (self._data_dir / TRASH).mkdir(exist_ok=True)
        folder.rename(self._data_dir / TRASH / str(uuid4()))
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()

    def _empty_trash(self) -> None:
        shutil.rmtree(self._data_dir / TRASH, ignore_errors=True)


def _instance_id(path: Path) -> UUID:
    """Stays the same as long as the disk does."""
    if not path.exists():
        write_atomically(path, str(uuid4()).encode())
    return UUID(path.read_text().strip())


def _find_attempts(data_dir: Path) -> Iterator[Attempt]:
    for spec_file in sorted(data_dir.glob("jobs/*/*/spec.json")):
        folder = AttemptFolder(spec_file.parent)
        yield Attempt(UUID(folder.path.parent.name), folder)
