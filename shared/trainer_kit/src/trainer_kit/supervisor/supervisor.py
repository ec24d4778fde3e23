"""The supervisor of one instance's attempts: running ones, and ended ones that are not deleted yet."""

import contextlib
import logging
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID, uuid4

from data_kit import DiskReserve
from trainer_kit.attempt_folder import AttemptFolder, StopOrder
from trainer_kit.files import write_atomically
from trainer_kit.supervisor.attempt import Attempt
from trainer_kit.supervisor.errors import (
    AttemptSuperseded,
    Draining,
    NoFreeSlot,
    StillRunning,
    StorageFull,
    UnknownAttempt,
)
from trainer_kit.supervisor.launcher import Launcher
from vision_contracts import HeldJob, JobSpec, StopRequest

SUPERSEDE_SECONDS = 5.0
INCOMING = "incoming"
TRASH = "trash"

log = logging.getLogger(__name__)


class Supervisor:
    """Holds attempts. Its state is in DATA_DIR, so that the next process continues if this one was killed.

    Its methods block for a moment and are safe to call from several threads; `supervise` is to be called several
    times a second.
    """

    def __init__(
        self, data_dir: Path, slots: int, launcher: Launcher, *, gpus: int = 0, disks: Sequence[DiskReserve] = ()
    ) -> None:
        self.slots = slots
        self._gpus = gpus
        self.is_draining = False
        self.boot_id = uuid4()
        self._disks = disks
        self._data_dir = data_dir
        self._launcher = launcher
        self._mutex = threading.RLock()
        self.instance_id = _instance_id(data_dir / "instance_id")
        for leftover in (INCOMING, TRASH):
            shutil.rmtree(data_dir / leftover, ignore_errors=True)
        self._attempts = {(attempt.job_uid, attempt.number): attempt for attempt in _find_attempts(data_dir)}

    @property
    def free_slots(self) -> int:
        if self.is_draining or self.is_storage_full:
            return 0
        with self._mutex:
            taken = sum(self._slots_of(attempt.folder.read_spec()) for attempt in self.list_running())
        return max(0, self.slots - taken)

    @property
    def is_storage_full(self) -> bool:
        """Return whether a disk is filled up to its reserve: attempts continue and end, and none begins."""
        return not all(disk.read().has_room() for disk in self._disks)

    def list_held(self) -> list[HeldJob]:
        """Return all attempts, of each job the oldest first."""
        with self._mutex:
            attempts = sorted(self._attempts.values(), key=lambda held: (str(held.job_uid), held.number))
        return [attempt.describe() for attempt in attempts]

    def find(self, job_uid: UUID, attempt: int | None = None) -> Attempt:
        """Return that attempt, or the newest one of the job. Raises UnknownAttempt."""
        with self._mutex:
            held = [one for one in self._of_job(job_uid) if attempt in (None, one.number)]
        if not held:
            which = f"job {job_uid}" if attempt is None else f"attempt {attempt} of job {job_uid}"
            raise UnknownAttempt(f"This instance does not hold {which}.")
        return held[-1]

    def start(self, spec: JobSpec) -> HeldJob:
        """Start an attempt; the same one again is answered with its current state.

        A newer attempt ends an older one of its job first. Raises NoFreeSlot, StorageFull, AttemptSuperseded or
        Draining, and OSError if no runner can be started; then nothing is held.
        """
        with self._mutex:
            if (same := self._admit(spec)) is not None:
                return same.describe()
            older = [one for one in self._of_job(spec.job_uid) if one.is_running]
            for one in older:
                one.order_stop(StopOrder(attempt=one.number, mode="kill"))
        _wait_for_end(older)
        with self._mutex:
            if (same := self._admit(spec)) is not None:
                return same.describe()
            if self.is_storage_full:
                raise StorageFull("The disk of this instance is almost full. Free some space; the job waits meanwhile.")
            if (free := self.free_slots) < self._slots_of(spec):
                raise NoFreeSlot(
                    f"{self.slots - free} of {self.slots} slots of this instance are taken, and this job needs "
                    f"{self._slots_of(spec)}. Retry when a job has ended."
                )
            return self._begin(spec).describe()

    def stop(self, job_uid: UUID, request: StopRequest) -> HeldJob:
        """Order a stop; does nothing to an attempt that has ended."""
        with self._mutex:
            attempt = self.find(job_uid, request.attempt)
            if attempt.is_running:
                log.info("attempt %d of job %s is ordered to end: %s", request.attempt, job_uid, request.mode)
                attempt.order_stop(StopOrder(**request.model_dump()))
            return attempt.describe()

    def delete(self, job_uid: UUID, attempt: int | None = None) -> None:
        """Delete one attempt, or the whole job, from the disk. Raises StillRunning."""
        with self._mutex:
            self.find(job_uid, attempt)
            deleted = [one for one in self._of_job(job_uid) if attempt in (None, one.number)]
            if any(one.is_running for one in deleted):
                raise StillRunning(f"Job {job_uid} is running. Stop it first.")
            for one in deleted:
                del self._attempts[one.job_uid, one.number]
            trash = [self._move_to_trash(one.folder.path) for one in deleted]
        for folder in trash:
            shutil.rmtree(folder, ignore_errors=True)

    def supervise(self) -> None:
        """Supervise all attempts: end those whose runner has died, and maintain the launcher."""
        try:
            self._launcher.maintain()
        except Exception:
            log.exception("the launcher could not be maintained")
        with self._mutex:
            attempts = list(self._attempts.values())
        for attempt in attempts:
            try:
                attempt.supervise(self._launcher)
            except Exception:
                log.exception("attempt %s of job %s could not be supervised", attempt.number, attempt.job_uid)

    def drain(self, grace_seconds: float) -> None:
        """Refuse new attempts, and pause the running ones."""
        self.is_draining = True
        with self._mutex:
            for attempt in self.list_running():
                attempt.order_stop(StopOrder(attempt=attempt.number, mode="pause", grace_seconds=grace_seconds))

    def is_idle(self) -> bool:
        """Return whether no attempt is running."""
        return not self.list_running()

    def list_running(self) -> list[Attempt]:
        """Return the attempts that have not ended."""
        with self._mutex:
            return [attempt for attempt in self._attempts.values() if attempt.is_running]

    def _of_job(self, job_uid: UUID) -> list[Attempt]:
        return sorted(
            (attempt for attempt in self._attempts.values() if attempt.job_uid == job_uid), key=lambda held: held.number
        )

    def _admit(self, spec: JobSpec) -> Attempt | None:
        """Return the same attempt, if it is held already. Raises AttemptSuperseded or Draining."""
        held = self._of_job(spec.job_uid)
        if held and held[-1].number > spec.attempt:
            raise AttemptSuperseded(f"Attempt {held[-1].number} of job {spec.job_uid} is newer.")
        if held and held[-1].number == spec.attempt:
            return held[-1]
        if self.is_draining:
            raise Draining("This instance is about to end. Choose another one.")
        return None

    def _begin(self, spec: JobSpec) -> Attempt:
        """Create the folder in one step, then launch the runner: after a kill between them the attempt is ended."""
        folder = AttemptFolder.at(self._data_dir, spec.job_uid, spec.attempt)
        partial = self._data_dir / INCOMING / str(uuid4())
        write_atomically(partial / folder.spec_file.name, spec.model_dump_json(indent=1).encode())
        gpus = self._choose_gpus(spec.params.num_devices)
        write_atomically(partial / folder.gpu_file.name, " ".join(map(str, gpus)).encode())
        folder.path.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(folder.path)
        try:
            runner = self._launcher.launch(folder)
        except BaseException:
            shutil.rmtree(self._move_to_trash(folder.path), ignore_errors=True)
            raise
        log.info(
            "attempt %d of job %s is started: %s, request %s",
            spec.attempt, spec.job_uid, spec.model_name, spec.request_id, extra={"request_id": spec.request_id},
        )  # fmt: skip
        attempt = Attempt(spec.job_uid, folder, runner)
        self._attempts[spec.job_uid, spec.attempt] = attempt
        return attempt

    def _slots_of(self, spec: JobSpec) -> int:
        """Return one for each device; a job that is larger than the instance takes all of it."""
        return min(spec.params.num_devices, self.slots)

    def _choose_gpus(self, count: int) -> list[int]:
        """Choose the CUDA devices that the fewest running attempts use."""
        taken = Counter(gpu for attempt in self.list_running() for gpu in _gpus_of(attempt))
        return sorted(range(max(self._gpus, 1)), key=lambda gpu: taken[gpu])[:count]

    def _move_to_trash(self, folder: Path) -> Path:
        """Move the folder in one step, so that an incomplete attempt is never found again."""
        gone = self._data_dir / TRASH / str(uuid4())
        gone.parent.mkdir(exist_ok=True)
        folder.rename(gone)
        with contextlib.suppress(OSError):  # other attempts of the job stay
            folder.parent.rmdir()
        return gone


def _gpus_of(attempt: Attempt) -> tuple[int, ...]:
    """Return the CUDA devices that an attempt trains on, or would if the machine has them."""
    kind, _, number = attempt.folder.read_spec().params.device.partition(":")
    if kind in ("cpu", "mps"):
        return ()
    return (int(number),) if number else attempt.folder.read_gpus()


def _wait_for_end(attempts: Sequence[Attempt]) -> None:
    deadline = time.monotonic() + SUPERSEDE_SECONDS
    while any(attempt.is_running for attempt in attempts) and time.monotonic() < deadline:
        time.sleep(0.05)


def _instance_id(path: Path) -> UUID:
    """Read the instance id, which stays the same as long as the disk does."""
    if not path.exists():
        write_atomically(path, str(uuid4()).encode())
    return UUID(path.read_text().strip())


def _find_attempts(data_dir: Path) -> Iterator[Attempt]:
    for spec_file in sorted(data_dir.glob("jobs/*/*/spec.json")):
        folder = AttemptFolder(spec_file.parent)
        yield Attempt(UUID(folder.path.parent.name), folder)
