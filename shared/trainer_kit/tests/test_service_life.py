"""A service process from its start to each of its ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from trainer_kit.testing.fake_adapter import ADAPTER_PATH
from trainer_kit.testing.service_process import ServiceProcess
from trainer_kit.testing.specs import assert_problem, bodies, changed, make_fake_spec
from trainer_kit.testing.waiting import wait_until
from vision_contracts import Checkpoint, Failed, JobSpec


@pytest.fixture
def service(dataset_path: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service that is not started yet; one for each test."""
    service = ServiceProcess(ADAPTER_PATH, tmp_path / "data", [dataset_path.parent])
    yield service
    service.close()


@pytest.fixture
def idle_service(service: ServiceProcess) -> ServiceProcess:
    """The service without a warm parent, for tests that train nothing."""
    service.environment["WARM_IDLE_SECONDS"] = "0"
    return service


@pytest.fixture
def spec(service: ServiceProcess, dataset_path: Path) -> JobSpec:
    return make_fake_spec((service.data_dir / "storage").as_uri(), dataset_path.as_uri())


def test_sigterm_pauses_what_runs_delivers_its_last_events_and_exits_with_0(
    service: ServiceProcess, spec: JobSpec
) -> None:
    service.start().begin_ok(spec)
    events = service.follow(spec)
    wait_until(lambda: next(events).body.type == "metrics", "a first metric")
    os.kill(service.process.pid, signal.SIGTERM)
    rest = list(events)
    assert rest[-1].body.type == "paused"
    assert bodies(rest, Checkpoint)
    assert service.process.wait(10) == 0


def test_a_draining_service_takes_nothing_on(service: ServiceProcess, spec: JobSpec) -> None:
    hanging = changed(spec, hyperparameters={"misbehaviour": "hang", "misbehave_at_step": 1})
    service.start().begin_ok(hanging)
    wait_until(lambda: service.folder(hanging).find_process("trainer"), "the trainer")
    service.process.terminate()
    wait_until(lambda: service.ready().draining, "draining")
    assert_problem(
        service.begin(make_fake_spec(spec.output_uri.partition("/jobs")[0], spec.dataset.uri)), 409, "draining"
    )
    assert service.ready().free_slots == 0
    service.process.terminate()  # a second time: does not wait any longer
    assert service.process.wait(10) == 0


def test_the_end_of_the_parent_ends_the_service_and_leaves_the_training_alone(
    service: ServiceProcess, spec: JobSpec
) -> None:
    theirs, ours = os.pipe()
    os.set_inheritable(theirs, True)
    service.environment["PARENT_PIPE_FD"] = str(theirs)
    service.start(pass_fds=(theirs,)).begin_ok(spec)
    os.close(theirs)
    service.wait_for(spec, "metrics")
    os.close(ours)
    assert service.process.wait(10) == 0
    assert psutil.pid_exists(service.trainer_pid(spec))

    del service.environment["PARENT_PIPE_FD"]
    seen = len(service.start().events(spec))
    wait_until(lambda: len(service.events(spec)) > seen, "the training to continue")


def test_a_runner_that_died_together_with_the_service_is_recovered_at_the_next_start(
    service: ServiceProcess, spec: JobSpec
) -> None:
    service.start().begin_ok(spec)
    service.wait_for(spec, "metrics")
    service.kill()
    os.kill(service.runner_pid(spec), signal.SIGKILL)
    service.start()
    wait_until(lambda: service.events(spec)[-1].is_terminal, "the end", timeout_seconds=3)
    ending = service.events(spec)[-1].body
    assert isinstance(ending, Failed)
    assert ending.reason == "trainer_killed"
    assert service.ready().free_slots == 1


def test_what_a_runner_left_that_died_over_a_data_set_is_gone_at_the_next_start(idle_service: ServiceProcess) -> None:
    left = idle_service.data_dir / "datasets" / "a.partial"
    left.mkdir(parents=True)
    idle_service.start()
    assert not left.exists()


@pytest.mark.parametrize(("configured", "slots"), [("", 2), ("5", 5)])
def test_it_has_a_slot_for_each_gpu_unless_it_is_configured_otherwise(
    idle_service: ServiceProcess, tmp_path: Path, configured: str, slots: int
) -> None:
    install_driver(tmp_path, "echo GPU-1a, A, 1; echo GPU-2b, B, 1")
    idle_service.environment |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLOTS": configured}
    assert idle_service.start().ready().slots == slots


def install_driver(folder: Path, script: str) -> None:
    """An `nvidia-smi` that says what the script says."""
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


def test_a_wiped_disk_is_a_new_instance(idle_service: ServiceProcess) -> None:
    first = idle_service.start().ready()
    idle_service.kill()
    (idle_service.data_dir / "instance_id").unlink()
    assert idle_service.start().ready().instance_id != first.instance_id


def test_a_second_service_on_the_same_data_is_refused_in_one_line(idle_service: ServiceProcess) -> None:
    idle_service.start()
    second = subprocess.run(
        [sys.executable, "-m", "trainer_kit.server", ADAPTER_PATH],
        env=os.environ | idle_service.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode == 1
    assert "another training service uses" in second.stderr
    assert "Traceback" not in second.stderr
