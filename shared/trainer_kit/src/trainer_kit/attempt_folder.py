"""The folder of one attempt: everything that the service, the runner and the trainer share about it.

DATA_DIR/jobs/{job_uid}/{attempt}/
    spec.json       what to train
    runner.lock     held by whoever may write events.jsonl: the runner, or who recovers after it
    events.jsonl    what happened, numbered
    gpu             which CUDA devices are meant for it
    stop.json       how to end it, once somebody wants that
    trainer.json    which process trains
    output.log      what the trainer printed
    runner.log      what the runner has to say about itself
    replicas/       where the other processes of a training on several devices work
    outbox/         complete files on their way to storage
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

import psutil

from trainer_kit.files import write_atomically
from vision_contracts import EndReason, JobSpec, StopRequest

STOP_FILE = "stop.json"
OUTBOX = "outbox"
CLOCK_TOLERANCE_SECONDS = 2.0
START_FIELD = 19
"""Of /proc/<pid>/stat, counted from 0 after the name, which may have blanks: number 22 in proc(5)."""


class StopOrder(StopRequest):
    """A stop request as it stands in the folder, with the reason that the ending will carry."""

    reason: EndReason = EndReason.STOPPED_BY_USER


_SEVERITY = {"pause": 0, "stop": 1, "kill": 2}


@dataclass(frozen=True)
class AttemptFolder:
    """Paths and the small files of one attempt."""

    path: Path

    @classmethod
    def at(cls, data_dir: Path, job_uid: UUID, attempt: int) -> "AttemptFolder":
        return cls(data_dir / "jobs" / str(job_uid) / str(attempt))

    def __str__(self) -> str:
        return f"job {self.path.parent.name} attempt {self.path.name}"

    @property
    def attempt(self) -> int:
        return int(self.path.name)

    @property
    def spec_file(self) -> Path:
        return self.path / "spec.json"

    @property
    def gpu_file(self) -> Path:
        return self.path / "gpu"

    @property
    def lock_file(self) -> Path:
        return self.path / "runner.lock"

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def output_log(self) -> Path:
        return self.path / "output.log"

    @property
    def runner_log(self) -> Path:
        return self.path / "runner.log"

    @property
    def outbox(self) -> Path:
        return self.path / OUTBOX

    @property
    def downloads(self) -> Path:
        return self.path / "downloads"

    def read_spec(self) -> JobSpec:
        return JobSpec.model_validate_json(self.spec_file.read_bytes())

    def read_gpus(self) -> tuple[int, ...]:
        """Numbers of the CUDA devices that are meant for this attempt, unless its job asks for a certain one."""
        try:
            return tuple(map(int, self.gpu_file.read_text().split()))
        except FileNotFoundError:
            return (0,)

    def read_stop(self) -> StopOrder | None:
        """How to end the attempt, or None while it shall go on."""
        try:
            return StopOrder.model_validate_json((self.path / STOP_FILE).read_bytes())
        except FileNotFoundError:
            return None

    def order_stop(self, order: StopOrder) -> StopOrder:
        """Leaves an order to stop; a milder one never replaces a harder one. Returns the order that stands."""
        standing = self.read_stop()
        if standing is not None and _SEVERITY[standing.mode] > _SEVERITY[order.mode]:
            return standing
        write_atomically(self.path / STOP_FILE, order.model_dump_json().encode())
        return order

    def remember_process(self, role: Literal["runner", "trainer"], process: psutil.Process) -> None:
        """Notes which process plays a role, for whoever must end it later."""
        identity = ProcessIdentity(process.pid, process.create_time(), process_space(), _start_of(process.pid))
        write_atomically(self.path / f"{role}.json", json.dumps(asdict(identity)).encode())

    def find_process(self, role: Literal["runner", "trainer"]) -> "ProcessIdentity | None":
        """The process that plays, or has played, the role."""
        try:
            return ProcessIdentity(**json.loads((self.path / f"{role}.json").read_bytes()))
        except FileNotFoundError:
            return None


def process_space() -> str:
    """The name space that this process's number belongs to; empty where there is only one."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _start_of(pid: int) -> str:
    """When a process was started, by a clock that nobody sets; empty where there is none (Linux has one)."""
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return f"{boot_id} {after_name[START_FIELD].decode()}"


@dataclass(frozen=True)
class ProcessIdentity:
    """A process for good: its number alone may be given to another one later."""

    pid: int
    create_time: float
    space: str = ""
    """Of process ids: each container has one of its own."""
    start: str = ""
    """Boot and tick of its start. `create_time` moves whenever the machine's clock is set, and only counts without."""

    def owner(self) -> Literal["itself", "nobody", "another"]:
        """Who has the number here and now. A zombie is nobody; who lives in another container is not here at all."""
        if self.space and self.space != process_space():
            return "another"
        try:
            process = psutil.Process(self.pid)
            if not self._is(process):
                return "another"
            return "nobody" if process.status() == psutil.STATUS_ZOMBIE else "itself"
        except psutil.NoSuchProcess:
            return "nobody"

    def _is(self, process: psutil.Process) -> bool:
        if self.start:
            return _start_of(process.pid) in (self.start, "")  # none: it has ended at this very moment
        return abs(process.create_time() - self.create_time) <= CLOCK_TOLERANCE_SECONDS
