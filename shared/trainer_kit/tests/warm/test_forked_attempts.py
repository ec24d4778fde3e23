"""An attempt that was forked from a warm parent, beside one in fresh processes."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from trainer_kit.testing.fake_adapter import ADAPTER_PATH
from trainer_kit.testing.service_process import ServiceProcess, running_service
from trainer_kit.testing.specs import changed, make_fake_spec
from trainer_kit.testing.waiting import wait_until
from vision_contracts import Failed, JobSpec

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a warm parent needs Linux")
SECRET = {"AWS_SECRET_ACCESS_KEY": "secret of the storage"}


@pytest.fixture(scope="module", params=["forked", "fresh"])
def either(request: pytest.FixtureRequest, dataset_path: Path, tmp_path_factory: pytest.TempPathFactory):
    idle = {"fresh": {"WARM_IDLE_SECONDS": "0"}, "forked": {}}[request.param]
    data_dir = tmp_path_factory.mktemp(request.param) / "data"
    with running_service(ADAPTER_PATH, data_dir, [dataset_path.parent], SLOTS="3", **SECRET, **idle) as service:
        if request.param == "forked":
            wait_until(service.warm_parent, "a warm parent")
        yield service


@pytest.fixture
def training(either: ServiceProcess, dataset_path: Path) -> Iterator[tuple[ServiceProcess, JobSpec]]:
    """One that runs."""
    spec = either.begin_ok(make_fake_spec((either.data_dir / "storage").as_uri(), dataset_path.as_uri()))
    either.wait_for(spec, "metrics")
    yield either, spec
    either.stop(spec, "kill")
    list(either.follow(spec))


def status_of(pid: int, *fields: str) -> dict[str, str]:
    lines = (line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: value for name, value in lines if name in fields}


def ignored_signals(pid: int) -> set[int]:
    mask = int(status_of(pid, "SigIgn")["SigIgn"], 16)
    return {number for number in range(1, 65) if mask >> number - 1 & 1}


def test_the_trainer_is_the_runners_child_in_a_session_of_its_own(training: tuple[ServiceProcess, JobSpec]) -> None:
    service, spec = training
    runner, trainer = service.runner_pid(spec), service.trainer_pid(spec)
    assert psutil.Process(trainer).ppid() == runner
    assert {os.getsid(pid) for pid in (runner, trainer)} == {runner, trainer}
    assert {os.getpgid(pid) for pid in (runner, trainer)} == {runner, trainer}


def test_signals_are_ignored_as_by_this_process_and_interrupts_by_the_trainer(
    training: tuple[ServiceProcess, JobSpec],
) -> None:
    service, spec = training
    ours = ignored_signals(os.getpid()) - {signal.SIGINT}  # the service handles it, whatever it has inherited
    assert ignored_signals(service.runner_pid(spec)) == ours
    assert ignored_signals(service.trainer_pid(spec)) == ours | {signal.SIGINT}
    for pid in (service.runner_pid(spec), service.trainer_pid(spec)):
        assert status_of(pid, "SigBlk") == status_of(os.getpid(), "SigBlk")


def test_the_trainer_has_its_channel_and_its_output_and_nothing_else_open(
    training: tuple[ServiceProcess, JobSpec],
) -> None:
    service, spec = training
    folder = Path(f"/proc/{service.trainer_pid(spec)}/fd")
    checkpoints = service.folder(spec).path  # a checkpoint may be open for writing
    targets = {int(fd.name): fd.readlink() for fd in folder.iterdir()}
    opened = {number: path.name for number, path in targets.items() if not path.is_relative_to(checkpoints)}
    assert opened.pop(0) == "null"
    assert opened[1] == opened.pop(2)
    assert opened.pop(1).startswith("pipe:")
    assert [name.partition(":")[0] for name in opened.values()] == ["socket"]


def test_the_trainer_never_had_the_credentials_of_the_storage(training: tuple[ServiceProcess, JobSpec]) -> None:
    service, spec = training
    environment = psutil.Process(service.trainer_pid(spec)).environ()
    assert environment["DATA_DIR"] == str(service.data_dir)
    assert not SECRET.keys() & environment.keys()
    assert not [name for name in environment if name.startswith("STORAGE")]


def test_its_working_directory_and_its_process_title_are_those_of_an_attempt(
    training: tuple[ServiceProcess, JobSpec],
) -> None:
    service, spec = training
    trainer = psutil.Process(service.trainer_pid(spec))
    assert Path(trainer.cwd()) == service.folder(spec).path
    assert "trainer" in " ".join(trainer.cmdline())
    assert "runner" in " ".join(psutil.Process(service.runner_pid(spec)).cmdline())


def test_jobs_do_not_see_what_others_leave_in_their_process(either: ServiceProcess, dataset_path: Path) -> None:
    storage = (either.data_dir / "storage").as_uri()

    def traces() -> list[str]:
        spec = make_fake_spec(storage, dataset_path.as_uri())
        leaving = spec.hyperparameters | {"misbehaviour": "leave_traces", "misbehave_at_step": 1}
        reported = list(either.follow(either.begin_ok(changed(spec, epochs=1, hyperparameters=leaving))))
        return [event.body.message for event in reported if event.body.type == "log" and "traces" in event.body.message]

    first, second = traces(), traces()
    assert [line.partition(";")[0] for line in (*first, *second)] == ["traces found: 0"] * 2
    assert first != second, "two jobs drew the same random numbers without a seed"


def test_a_killed_runner_takes_its_waiting_or_working_trainer_with_it(
    either: ServiceProcess, dataset_path: Path
) -> None:
    spec = either.begin_ok(make_fake_spec((either.data_dir / "storage").as_uri(), dataset_path.as_uri()))
    runner = wait_until(lambda: either.folder(spec).find_process("runner"), "the runner")
    wait_until(lambda: psutil.Process(runner.pid).children(), "the trainer")
    children = psutil.Process(runner.pid).children(recursive=True)
    os.kill(runner.pid, signal.SIGKILL)
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert (bool(gone), alive) == (True, [])
    ending = list(either.follow(spec))[-1].body
    assert isinstance(ending, Failed)
    assert ending.reason == "trainer_killed"
