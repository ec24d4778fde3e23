"""The supervisor with runners that do nothing, so that every moment of their lives can be held still."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from data_kit import DiskReserve
from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.event_log import EventLog
from trainer_kit.supervisor import (
    AttemptSuperseded,
    Draining,
    NoFreeSlot,
    RunnerHandle,
    StillRunning,
    StorageFull,
    Supervisor,
    UnknownAttempt,
    attempt,
)
from trainer_kit.testing.specs import changed, make_fake_spec
from vision_contracts import EventBody, Failed, Finished, JobEvent, JobSpec, Log, LogLevel, Paused, StopRequest


@dataclass
class StillRunner:
    """Runs until it is told that it has ended."""

    folder: AttemptFolder
    running: bool = True

    def is_running(self) -> bool:
        return self.running

    def end(self, ending: EventBody | None = None) -> None:
        """End with a terminal event, or without one as after `kill -9`."""
        if ending is not None:
            log = EventLog(self.folder.events_file, self.folder.attempt)
            log.append(ending)
            log.close()
        self.running = False


@dataclass
class StillLauncher:
    """Keeps what it has launched, and can fail."""

    launched: list[StillRunner] = field(default_factory=list)
    killed: list[Path] = field(default_factory=list)
    error: Exception | None = None

    def launch(self, folder: AttemptFolder) -> RunnerHandle:
        if self.error is not None:
            raise self.error
        self.launched.append(StillRunner(folder))
        return self.launched[-1]

    def kill(self, folder: AttemptFolder) -> None:
        self.killed.append(folder.path)
        self.launched[-1].end()

    def maintain(self) -> None:
        """Do nothing: there is nothing between launches."""
        if self.error is not None:
            raise self.error


@pytest.fixture
def launcher() -> StillLauncher:
    return StillLauncher()


@pytest.fixture
def make_supervisor(tmp_path: Path, launcher: StillLauncher) -> Callable[..., Supervisor]:
    def make(slots: int = 1, gpus: int = 0) -> Supervisor:
        return Supervisor(tmp_path / "data", slots, launcher, gpus=gpus)

    return make


@pytest.fixture
def supervisor(make_supervisor: Callable[..., Supervisor]) -> Supervisor:
    return make_supervisor()


@pytest.fixture
def spec(tmp_path: Path) -> JobSpec:
    return make_fake_spec((tmp_path / "storage").as_uri(), tmp_path.as_uri())


def other(spec: JobSpec) -> JobSpec:
    return changed(spec, job_uid=uuid4())


def states(supervisor: Supervisor) -> dict[tuple[UUID, int], str]:
    return {(held.job_uid, held.attempt): held.ended_as or held.state for held in supervisor.list_held()}


def test_an_attempt_takes_a_slot_until_its_terminal_event(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec
) -> None:
    assert supervisor.start(spec).state == "running"
    assert supervisor.free_slots == 0
    with pytest.raises(NoFreeSlot):
        supervisor.start(other(spec))
    launcher.launched[0].end(Finished())
    assert supervisor.free_slots == 1
    assert states(supervisor) == {(spec.job_uid, 1): "finished"}
    supervisor.start(other(spec))


def test_nothing_begins_on_a_full_disk_and_what_runs_is_held(
    tmp_path: Path, launcher: StillLauncher, spec: JobSpec
) -> None:
    Supervisor(tmp_path / "data", 2, launcher).start(spec)
    full = Supervisor(tmp_path / "data", 2, launcher, disks=[DiskReserve(tmp_path, 10**18)])

    assert full.start(spec).state == "running"
    with pytest.raises(StorageFull, match="almost full"):
        full.start(other(spec))
    assert (full.free_slots, full.is_storage_full) == (0, True)


def test_the_folder_is_complete_before_the_runner_starts(supervisor: Supervisor, spec: JobSpec) -> None:
    supervisor.start(spec)
    assert supervisor.find(spec.job_uid).folder.read_spec() == spec


def test_attempts_side_by_side_have_gpus_of_their_own(
    make_supervisor: Callable[..., Supervisor], launcher: StillLauncher, spec: JobSpec
) -> None:
    supervisor = make_supervisor(slots=6, gpus=3)

    def gpu_of(wanted: JobSpec) -> int:
        supervisor.start(wanted)
        [gpu] = supervisor.find(wanted.job_uid).folder.read_gpus()
        return gpu

    gpus = [gpu_of(spec), gpu_of(changed(other(spec), device="cuda:1")), gpu_of(changed(other(spec), device="cpu"))]
    assert (gpus[0], gpu_of(other(spec)), gpu_of(changed(other(spec), device="cuda"))) == (0, 2, 0)
    launcher.launched[3].end(Finished())
    again = make_supervisor(slots=6, gpus=3)
    again.start(newest := other(spec))
    assert again.find(newest.job_uid).folder.read_gpus() == (2,)


def test_a_job_has_as_many_slots_and_gpus_as_devices(
    make_supervisor: Callable[..., Supervisor], launcher: StillLauncher, spec: JobSpec
) -> None:
    supervisor = make_supervisor(slots=4, gpus=4)
    supervisor.start(changed(spec, device="cuda:1"))
    supervisor.start(pair := changed(other(spec), num_devices=2))
    assert supervisor.find(pair.job_uid).folder.read_gpus() == (0, 2)
    assert supervisor.free_slots == 1
    with pytest.raises(NoFreeSlot, match="3 of 4 slots of this instance are taken, and this job needs 2"):
        supervisor.start(changed(other(spec), num_devices=2))
    supervisor.start(other(spec))
    assert [runner.folder.read_gpus() for runner in launcher.launched] == [(0,), (0, 2), (3,)]
    assert supervisor.free_slots == 0


def test_a_job_larger_than_the_instance_takes_all_of_it(
    make_supervisor: Callable[..., Supervisor], launcher: StillLauncher, spec: JobSpec
) -> None:
    supervisor = make_supervisor(slots=2, gpus=8)
    supervisor.start(spec)
    with pytest.raises(NoFreeSlot):
        supervisor.start(changed(other(spec), num_devices=8))
    launcher.launched[0].end(Finished())
    supervisor.start(wide := changed(other(spec), num_devices=8))
    assert sorted(supervisor.find(wide.job_uid).folder.read_gpus()) == list(range(8))
    assert supervisor.free_slots == 0


def test_the_same_start_again_launches_nothing(supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec) -> None:
    supervisor.start(spec)
    assert supervisor.start(spec).state == "running"
    assert len(launcher.launched) == 1


def test_many_starts_at_once_take_no_more_slots_than_there_are(
    make_supervisor: Callable[..., Supervisor], launcher: StillLauncher, spec: JobSpec
) -> None:
    supervisor = make_supervisor(slots=3)
    outcomes: list[str] = []

    def start() -> None:
        try:
            outcomes.append(supervisor.start(other(spec)).state)
        except NoFreeSlot:
            outcomes.append("refused")

    threads = [threading.Thread(target=start) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (outcomes.count("running"), outcomes.count("refused"), len(launcher.launched)) == (3, 9, 3)


def test_an_older_attempt_is_refused_whether_the_newer_one_runs_or_has_ended(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec
) -> None:
    supervisor.start(changed(spec, attempt=3))
    with pytest.raises(AttemptSuperseded):
        supervisor.start(changed(spec, attempt=2))
    launcher.launched[0].end(Finished())
    with pytest.raises(AttemptSuperseded):
        supervisor.start(changed(spec, attempt=2))


def test_a_newer_attempt_waits_for_the_end_of_the_older_one(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec
) -> None:
    supervisor.start(spec)
    older = launcher.launched[0]

    def end_when_ordered() -> None:
        while (order := older.folder.read_stop()) is None or order.mode != "kill":
            pass
        older.end(Paused())

    obeying = threading.Thread(target=end_when_ordered)
    obeying.start()
    assert supervisor.start(changed(spec, attempt=2)).attempt == 2
    obeying.join()
    assert states(supervisor) == {(spec.job_uid, 1): "paused", (spec.job_uid, 2): "running"}


def test_an_older_attempt_that_does_not_end_keeps_its_slot(
    supervisor: Supervisor, spec: JobSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer_kit.supervisor.supervisor.SUPERSEDE_SECONDS", 0.1)
    supervisor.start(spec)
    with pytest.raises(NoFreeSlot):
        supervisor.start(changed(spec, attempt=2))


def test_a_runner_that_cannot_be_started_leaves_nothing(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec, tmp_path: Path
) -> None:
    launcher.error = OSError("no more processes")
    with pytest.raises(OSError, match="no more processes"):
        supervisor.start(spec)
    assert (supervisor.list_held(), supervisor.free_slots) == ([], 1)
    assert list((tmp_path / "data" / "trash").iterdir()) == []
    launcher.error = None
    supervisor.start(spec)


def test_a_dead_runner_ends_its_attempt_as_killed(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec
) -> None:
    supervisor.start(spec)
    supervisor.supervise()
    assert states(supervisor) == {(spec.job_uid, 1): "running"}
    launcher.launched[0].end()
    supervisor.supervise()
    assert states(supervisor) == {(spec.job_uid, 1): "failed"}
    assert supervisor.free_slots == 1


@pytest.mark.parametrize(("mode", "ending"), [("pause", "paused"), ("stop", "cancelled"), ("kill", "cancelled")])
def test_a_runner_that_dies_while_it_stops_has_stopped(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec, mode: str, ending: str
) -> None:
    supervisor.start(spec)
    supervisor.stop(spec.job_uid, StopRequest.model_validate({"attempt": 1, "mode": mode}))
    launcher.launched[0].end()
    supervisor.supervise()
    assert states(supervisor) == {(spec.job_uid, 1): ending}


def test_a_runner_that_does_not_obey_is_killed_in_the_end(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "UNRESPONSIVE_SECONDS", -1.0)
    supervisor.start(spec)
    supervisor.stop(spec.job_uid, StopRequest(attempt=1, mode="kill"))
    supervisor.supervise()
    assert launcher.killed == [supervisor.find(spec.job_uid).folder.path]
    supervisor.supervise()
    assert states(supervisor) == {(spec.job_uid, 1): "cancelled"}


@pytest.mark.parametrize("again", ["pause", "stop"])
def test_a_stop_that_is_ordered_again_gives_no_more_time(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec, again: str
) -> None:
    supervisor.start(spec)
    held, now = supervisor.find(spec.job_uid), 0.0
    held.clock = lambda: now
    supervisor.stop(spec.job_uid, StopRequest(attempt=1, mode="stop", grace_seconds=10))
    while now < 10 + attempt.UNRESPONSIVE_SECONDS:
        supervisor.supervise()
        assert launcher.killed == []
        now += 3.0
        supervisor.stop(spec.job_uid, StopRequest.model_validate({"attempt": 1, "mode": again, "grace_seconds": 10}))
    supervisor.supervise()
    assert launcher.killed == [held.folder.path]


def test_a_stop_after_the_end_changes_nothing(supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec) -> None:
    supervisor.start(spec)
    launcher.launched[0].end(Finished())
    assert supervisor.stop(spec.job_uid, StopRequest(attempt=1)).ended_as == "finished"
    assert launcher.launched[0].folder.read_stop() is None
    with pytest.raises(UnknownAttempt):
        supervisor.stop(spec.job_uid, StopRequest(attempt=2))


def test_one_attempt_can_be_deleted_while_the_next_one_runs(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec, tmp_path: Path
) -> None:
    supervisor.start(spec)
    launcher.launched[0].end(Finished())
    supervisor.start(changed(spec, attempt=2))
    with pytest.raises(StillRunning):
        supervisor.delete(spec.job_uid)
    assert len(supervisor.list_held()) == 2
    supervisor.delete(spec.job_uid, 1)
    assert states(supervisor) == {(spec.job_uid, 2): "running"}
    launcher.launched[1].end(Finished())
    supervisor.delete(spec.job_uid)
    assert list((tmp_path / "data" / "jobs").iterdir()) == []
    assert list((tmp_path / "data" / "trash").iterdir()) == []


def test_the_next_process_finds_what_the_last_one_held(
    supervisor: Supervisor, make_supervisor: Callable[..., Supervisor], launcher: StillLauncher, spec: JobSpec
) -> None:
    finished, lost = other(spec), other(spec)
    supervisor.start(finished)
    launcher.launched[0].end(Finished())
    supervisor.start(lost)
    launcher.launched[1].end()
    again = make_supervisor()
    assert again.instance_id == supervisor.instance_id
    assert again.boot_id != supervisor.boot_id
    again.supervise()
    assert states(again) == {(finished.job_uid, 1): "finished", (lost.job_uid, 1): "failed"}
    held = next(one for one in again.list_held() if one.job_uid == lost.job_uid)
    assert held.last_seq == 2  # a line in its log, and the end


def test_what_a_kill_left_half_done_is_cleared_away(make_supervisor: Callable[..., Supervisor], tmp_path: Path) -> None:
    for left in ("incoming/new", "trash/old"):
        (tmp_path / "data" / left).mkdir(parents=True)
    supervisor = make_supervisor()
    assert supervisor.list_held() == []
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"instance_id"}


def test_draining_pauses_what_runs_and_takes_nothing_on(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec
) -> None:
    supervisor.start(spec)
    supervisor.drain(3.0)
    order = launcher.launched[0].folder.read_stop()
    assert order is not None
    assert (order.mode, order.grace_seconds) == ("pause", 3.0)
    with pytest.raises(Draining):
        supervisor.start(other(spec))
    assert (supervisor.free_slots, supervisor.is_idle()) == (0, False)
    launcher.launched[0].end(Paused())
    assert supervisor.is_idle()


def test_one_attempt_that_cannot_be_looked_after_does_not_keep_the_others_from_it(
    make_supervisor: Callable[..., Supervisor], launcher: StillLauncher, spec: JobSpec
) -> None:
    supervisor = make_supervisor(slots=2)
    supervisor.start(spec)
    supervisor.start(other(spec))
    for runner in launcher.launched:
        runner.end()
    (launcher.launched[0].folder.path / "trainer.json").write_text("no json")
    supervisor.supervise()
    assert sorted(states(supervisor).values()) == ["failed", "running"]


def test_a_launcher_that_fails_does_not_keep_the_attempts_from_being_looked_after(
    supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec
) -> None:
    supervisor.start(spec)
    launcher.error = OSError("Cannot allocate memory")
    launcher.launched[0].end()
    supervisor.supervise()
    assert states(supervisor) == {(spec.job_uid, 1): "failed"}


def test_a_recovered_attempt_says_why(supervisor: Supervisor, launcher: StillLauncher, spec: JobSpec) -> None:
    supervisor.start(spec)
    launcher.launched[0].end()
    supervisor.supervise()
    said, ending = map(JobEvent.from_line, supervisor.find(spec.job_uid).folder.events_file.read_text().splitlines())
    assert isinstance(ending.body, Failed)
    assert ending.body.reason == "trainer_killed"
    assert said.body == Log(level=LogLevel.ERROR, message=ending.body.message)
