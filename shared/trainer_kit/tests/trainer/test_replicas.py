"""Several processes that train one job, as their runner and their service see them. Each framework tests its gradients:
the processes of the fake one train independently.
"""

import os
import signal
from pathlib import Path

import psutil
import pytest

from trainer_kit.testing.images import make_imagefolder
from trainer_kit.testing.service_process import ServiceProcess
from trainer_kit.testing.specs import assert_problem, bodies, changed
from trainer_kit.testing.waiting import wait_until
from vision_contracts import Cancelled, Checkpoint, EndReason, Failed, Finished, JobSpec, Log, Metrics, Progress


@pytest.fixture
def pair(spec: JobSpec) -> JobSpec:
    """A job for two processes on the CPU."""
    return changed(spec, device="cpu", num_devices=2)


def begin(service: ServiceProcess, pair: JobSpec) -> tuple[psutil.Process, psutil.Process]:
    """Start the job, wait until it trains, and return its processes."""
    service.begin_ok(pair)
    service.wait_for(pair, "metrics")
    first = psutil.Process(service.trainer_pid(pair))
    [second] = first.children()
    return first, second


def ending_of(service: ServiceProcess, spec: JobSpec) -> object:
    wait_until(lambda: service.events(spec)[-1].is_terminal, "the end", timeout_seconds=10)
    return service.events(spec)[-1].body


def are_gone(*processes: psutil.Process) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def test_only_the_first_process_reports_and_saves_checkpoints(service: ServiceProcess, pair: JobSpec) -> None:
    events = list(service.follow(service.begin_ok(changed(pair, epochs=2, hyperparameters={}))))
    assert isinstance(events[-1].body, Finished)
    assert [checkpoint.epoch for checkpoint in bodies(events, Checkpoint)] == [1, 2]
    steps = [metrics.step for metrics in bodies(events, Metrics) if "train/loss" in metrics.values]
    assert steps == list(range(1, bodies(events, Progress)[-1].steps + 1))
    assert [file for file in (service.folder(pair).path / "replicas").rglob("*.npz") if "outbox" in file.parts] == []


def test_a_job_takes_a_slot_for_each_of_its_devices(service: ServiceProcess, pair: JobSpec) -> None:
    begin(service, pair)
    assert service.ready().free_slots == service.ready().slots - 2
    service.stop(pair, "kill")
    assert ending_of(service, pair) == Cancelled()


def test_a_stop_leaves_a_checkpoint_and_no_process(service: ServiceProcess, pair: JobSpec) -> None:
    processes = begin(service, pair)
    service.stop(pair)
    events = list(service.follow(pair))
    assert events[-1].body == Cancelled()
    assert bodies(events, Checkpoint)[-1].step == bodies(events, Progress)[-1].step
    assert "killed" not in service.folder(pair).output_log.read_text()
    wait_until(lambda: are_gone(*processes), "the end of both", timeout_seconds=3)


@pytest.mark.parametrize("which", ["first", "second", "runner"])
def test_killing_one_process_ends_the_others(service: ServiceProcess, pair: JobSpec, which: str) -> None:
    first, second = begin(service, pair)
    runner = psutil.Process(service.runner_pid(pair))
    {"first": first, "second": second, "runner": runner}[which].send_signal(signal.SIGKILL)
    ending = ending_of(service, pair)
    assert isinstance(ending, Failed)
    assert ending.reason is EndReason.TRAINER_KILLED
    assert which != "second" or "Process 1 of this training was killed by SIGKILL" in ending.message
    wait_until(lambda: are_gone(first, second), "the end of both", timeout_seconds=3)


def test_a_process_whose_runner_and_first_process_are_both_gone_ends_too(
    service: ServiceProcess, pair: JobSpec
) -> None:
    first, second = begin(service, pair)
    runner = psutil.Process(service.runner_pid(pair))
    for one in (runner, first):
        os.kill(one.pid, signal.SIGSTOP)  # neither has the time to end the others
    for one in (runner, first):
        os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: are_gone(second), "the end of the second", timeout_seconds=5)
    assert isinstance(ending_of(service, pair), Failed)


@pytest.mark.parametrize(
    ("misbehaviour", "reason", "says"),
    [
        ("nan", EndReason.NAN_LOSS, "learning rate"),
        ("crash", EndReason.INTERNAL, "the wheels came off"),
        ("exit", EndReason.INTERNAL, "exit code 3"),
        ("out_of_memory", EndReason.OUT_OF_MEMORY, "batch size"),
    ],
)
def test_the_failure_of_another_process_is_the_reason_of_the_job(
    service: ServiceProcess, pair: JobSpec, misbehaviour: str, reason: EndReason, says: str
) -> None:
    settings = pair.hyperparameters | {"misbehaviour": misbehaviour, "misbehaving_process": 1}
    events = list(service.follow(service.begin_ok(changed(pair, hyperparameters=settings))))
    ending = events[-1].body
    assert isinstance(ending, Failed)
    assert ending.reason is reason
    assert says in ending.message
    lines = [log.message for log in bodies(events, Log)]
    assert misbehaviour != "crash" or any("fake_train.py" in line for line in lines)
    assert misbehaviour != "exit" or "something printed last" in lines


def test_devices_that_are_not_there_are_refused_at_the_start(service: ServiceProcess, spec: JobSpec) -> None:
    for device, says in (
        ("auto", "0 of 2 GPUs"),
        ("cuda", "0 of 2 GPUs"),
        ("cuda:0", "one device"),
        ("mps", "one device"),
    ):
        response = service.begin(changed(spec, device=device, num_devices=2))
        problem = assert_problem(response, 422, "hyperparameters_invalid")
        [error] = problem.errors or []
        assert error.field == "params.num_devices"
        assert says in error.message


def test_fewer_images_than_devices_are_refused(service: ServiceProcess, pair: JobSpec, dataset_path: Path) -> None:
    few = make_imagefolder(dataset_path.parent / "few", per_class=2)
    wide = changed(pair, num_devices=8, dataset={"uri": few.as_uri()})
    ending = list(service.follow(service.begin_ok(wide)))[-1].body
    assert isinstance(ending, Failed)
    assert ending.reason is EndReason.BAD_HYPERPARAMETERS
    assert "6 training images are too few for 8 devices" in ending.message
