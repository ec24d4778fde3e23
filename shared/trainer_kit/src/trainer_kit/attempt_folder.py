"""The folder of one attempt: everything that the service, the runner and the trainer share.

DATA_DIR/jobs/{job_uid}/{attempt}/
    spec.json       specification of the job
    runner.lock     held by the writer of events.jsonl: the runner, or the recovery after it
    events.jsonl    numbered events
    gpu             CUDA devices that it is assigned
    stop.json       order to stop, if there is one
    trainer.json    identity of the trainer's process
    runner.json     identity of the runner's process
    output.log      output of the trainer
    runner.log      log of the runner itself
    replicas/       working directories of the other processes of a training on several devices
    outbox/         complete files that wait for their upload
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
"""Field of /proc/<pid>/stat, counted from 0 after the name, which may have blanks: number 22 in proc(5)."""


class StopOrder(StopRequest):
    """A stop request as stored in the folder, with the reason for the terminal event."""

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
        """Return the CUDA devices assigned to this attempt, unless its job requests a certain one."""
        try:
            return tuple(map(int, self.gpu_file.read_text().split()))
        except FileNotFoundError:
            return (0,)

    def read_stop(self) -> StopOrder | None:
        """Read the order to stop; None if there is none."""
        try:
            return StopOrder.model_validate_json((self.path / STOP_FILE).read_bytes())
        except FileNotFoundError:
            return None

    def order_stop(self, order: StopOrder) -> StopOrder:
        """Write an order to stop; a milder one never replaces a harder one. Returns the order in force."""
        standing = self.read_stop()
        if standing is not None and _SEVERITY[standing.mode] > _SEVERITY[order.mode]:
            return standing
        write_atomically(self.path / STOP_FILE, order.model_dump_json().encode())
        return order

    def remember_process(self, role: Literal["runner", "trainer"], process: psutil.Process) -> None:
        """Record the process in a role, so that it can be ended later."""
        identity = ProcessIdentity(process.pid, process.create_time(), pid_namespace(), _start_of(process.pid))
        write_atomically(self.path / f"{role}.json", json.dumps(asdict(identity)).encode())

    def find_process(self, role: Literal["runner", "trainer"]) -> "ProcessIdentity | None":
        """Return the process that was last recorded in the role; None if there was none."""
        try:
            return ProcessIdentity(**json.loads((self.path / f"{role}.json").read_bytes()))
        except FileNotFoundError:
            return None


def pid_namespace() -> str:
    """Return the PID namespace of this process; empty on systems without namespaces."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _start_of(pid: int) -> str:
    """Return the start of a process by a clock that cannot be set (Linux); empty on systems without one."""
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return f"{boot_id} {after_name[START_FIELD].decode()}"


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, identified beyond its PID, which may be reused later."""

    pid: int
    create_time: float
    space: str = ""
    """PID namespace: each container has its own."""
    start: str = ""
    """Boot and tick of its start. `create_time` moves with the machine's clock, and is compared only without this."""

    def owner(self) -> Literal["itself", "nobody", "another"]:
        """Return the current owner of the PID. A zombie counts as nobody; a process of another container as another."""
        if self.space and self.space != pid_namespace():
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
            return _start_of(process.pid) in (self.start, "")  # empty: it has just ended
        return abs(process.create_time() - self.create_time) <= CLOCK_TOLERANCE_SECONDS
