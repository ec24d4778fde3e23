"""Faults of a service and its processes: real processes, really killed."""

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from trainer_kit.testing.service_process import TOKEN, ServiceProcess
from trainer_kit.testing.specs import bodies, changed
from trainer_kit.testing.waiting import wait_until
from vision_contracts import (
    HEARTBEAT_SECONDS,
    Cancelled,
    Checkpoint,
    EndReason,
    Failed,
    Finished,
    JobSpec,
    Log,
    LogLevel,
    Paused,
    Started,
)


def misbehaving(spec: JobSpec, how: str, **more: Any) -> JobSpec:
    return changed(spec, hyperparameters=spec.hyperparameters | {"misbehaviour": how} | more)


def run(service: ServiceProcess, spec: JobSpec) -> list[Any]:
    """The bodies of all events."""
    return [event.body for event in service.follow(service.begin_ok(spec))]


@pytest.mark.parametrize(
    ("how", "reason", "says"),
    [
        ("crash", EndReason.INTERNAL, "the wheels came off"),
        ("exit", EndReason.INTERNAL, "something printed last"),
        ("kill", EndReason.TRAINER_KILLED, "SIGKILL"),
        ("nan", EndReason.NAN_LOSS, "learning rate"),
        ("out_of_memory", EndReason.OUT_OF_MEMORY, "batch size"),
        ("disk_full", EndReason.DISK_FULL, "Free space"),
    ],
)
def test_a_training_that_goes_wrong_fails_with_a_reason_and_a_message(
    service: ServiceProcess, spec: JobSpec, how: str, reason: EndReason, says: str
) -> None:
    ending = run(service, misbehaving(spec, how))[-1]
    assert isinstance(ending, Failed)
    assert ending.reason is reason
    assert says in ending.message


def test_a_training_that_does_not_fit_proposes_one_that_may(service: ServiceProcess, spec: JobSpec) -> None:
    ending = run(service, changed(misbehaving(spec, "out_of_memory"), batch_size=6))[-1]
    assert isinstance(ending, Failed)
    assert ending.proposed_changes == {"batch_size": 2}


def test_the_traceback_of_a_defect_stands_in_the_log(service: ServiceProcess, spec: JobSpec) -> None:
    lines = [body for body in run(service, misbehaving(spec, "crash")) if isinstance(body, Log)]
    assert any("fake_train.py" in line.message and line.level is LogLevel.ERROR for line in lines)


def test_a_flood_of_output_is_thinned_out_and_the_training_goes_on(service: ServiceProcess, spec: JobSpec) -> None:
    flooding = changed(misbehaving(spec, "flood"), epochs=2)
    reported = run(service, flooding)
    lines = [body.message for body in reported if isinstance(body, Log)]
    assert isinstance(reported[-1], Finished)
    assert 100 < len(lines) < 5_000
    assert any("left out" in line for line in lines)
    assert len(service.folder(flooding).output_log.read_text().splitlines()) == 20_000


def test_a_data_set_that_cannot_be_read_is_bad_data(service: ServiceProcess, spec: JobSpec, dataset_path: Path) -> None:
    empty = dataset_path.parent / "empty"
    empty.mkdir(exist_ok=True)
    ending = run(service, changed(spec, dataset={"uri": empty.as_uri()}))[-1]
    assert isinstance(ending, Failed)
    assert ending.reason is EndReason.BAD_DATA


def test_a_device_that_is_not_there_is_named(service: ServiceProcess, spec: JobSpec) -> None:
    ending = run(service, changed(spec, device="cuda:7"))[-1]
    assert isinstance(ending, Failed)
    assert ending.reason is EndReason.BAD_HYPERPARAMETERS
    assert "cuda:7" in ending.message


def test_a_checkpoint_that_is_gone_fails_before_training(service: ServiceProcess, spec: JobSpec) -> None:
    gone = changed(spec, resume_from_uri=spec.output_uri + "/checkpoints/none.npz")
    reported = run(service, gone)
    said, ending = reported
    assert isinstance(ending, Failed)
    assert ending.reason is EndReason.WEIGHTS_UNAVAILABLE
    assert said == Log(level=LogLevel.ERROR, message=ending.message)


def test_a_trainer_that_hangs_is_killed_after_the_grace_and_all_of_it_is_gone(
    service: ServiceProcess, spec: JobSpec
) -> None:
    hanging = service.begin_ok(misbehaving(spec, "hang"))
    service.wait_for(hanging, "metrics")
    pid = service.trainer_pid(hanging)
    service.stop(hanging, "stop", grace_seconds=0.2)
    assert list(service.follow(hanging))[-1].body == Cancelled()
    assert not psutil.pid_exists(pid)


def test_a_trainer_that_hangs_ends_at_once_when_it_is_to_be_killed(service: ServiceProcess, spec: JobSpec) -> None:
    hanging = service.begin_ok(misbehaving(spec, "hang"))
    service.wait_for(hanging, "metrics")
    service.stop(hanging, "kill", grace_seconds=100)
    wait_until(lambda: service.events(hanging)[-1].is_terminal, "the end", timeout_seconds=3)
    assert service.events(hanging)[-1].body == Cancelled()


def test_a_training_that_takes_too_long_is_stopped_with_a_checkpoint(service: ServiceProcess, spec: JobSpec) -> None:
    reported = run(service, changed(spec, timeout_seconds=2.5))
    assert reported[-1] == Cancelled(reason=EndReason.TIMED_OUT)
    assert any(isinstance(body, Checkpoint) for body in reported)


def test_a_stop_before_the_trainer_has_begun_is_obeyed(service: ServiceProcess, spec: JobSpec) -> None:
    service.begin_ok(spec)
    service.stop(spec, "stop")
    assert list(service.follow(spec))[-1].body == Cancelled()


def test_a_dead_runner_is_noticed_and_its_trainer_is_gone(service: ServiceProcess, spec: JobSpec) -> None:
    service.begin_ok(spec)
    service.wait_for(spec, "metrics")
    trainer = service.trainer_pid(spec)
    os.kill(service.runner_pid(spec), signal.SIGKILL)
    wait_until(lambda: service.events(spec)[-1].is_terminal, "the end", timeout_seconds=3)
    ending = service.events(spec)[-1].body
    assert isinstance(ending, Failed)
    assert ending.reason is EndReason.TRAINER_KILLED
    wait_until(lambda: not is_alive(trainer), "the end of the trainer", timeout_seconds=3)


def test_a_runner_that_is_terminated_pauses_its_training(service: ServiceProcess, spec: JobSpec) -> None:
    service.begin_ok(spec)
    service.wait_for(spec, "metrics")
    os.kill(service.runner_pid(spec), signal.SIGTERM)
    events = list(service.follow(spec))
    assert events[-1].body == Paused()
    assert bodies(events, Checkpoint)


def test_a_newer_attempt_ends_the_older_one(service: ServiceProcess, spec: JobSpec) -> None:
    service.begin_ok(spec)
    service.wait_for(spec, "metrics")
    older_trainer = service.trainer_pid(spec)
    newer = service.begin_ok(changed(spec, attempt=2))
    assert service.events(spec)[-1].body == Cancelled()
    assert not is_alive(older_trainer)
    assert isinstance(service.wait_for(newer, "started").body, Started)
    service.stop(newer, "kill")
    assert list(service.follow(newer))[-1].body == Cancelled()


def test_resumed_training_gives_the_same_weights_as_an_unbroken_one(service: ServiceProcess, spec: JobSpec) -> None:
    unbroken = service.begin_ok(changed(spec, epochs=4))
    whole = bodies(list(service.follow(unbroken)), Checkpoint)[-1]
    first = service.begin_ok(changed(spec, epochs=2, attempt=2))
    half = bodies(list(service.follow(first)), Checkpoint)[-1]
    assert half.state is not None
    from_half = {"resume_from_uri": half.uri, "resume_state_uri": half.state.uri}
    second = service.begin_ok(changed(spec, epochs=4, attempt=3, **from_half))
    resumed = bodies(list(service.follow(second)), Checkpoint)[-1]
    assert (resumed.step, resumed.sha256) == (whole.step, whole.sha256)


def test_neither_runner_nor_trainer_sees_the_token_or_an_open_socket(service: ServiceProcess, spec: JobSpec) -> None:
    service.begin_ok(spec)
    service.wait_for(spec, "metrics")
    for pid in (service.runner_pid(spec), service.trainer_pid(spec)):
        process = psutil.Process(pid)
        assert process.environ()["DATA_DIR"] == str(service.data_dir)
        assert TOKEN not in process.environ().values()
        assert process.net_connections("inet") == []
    assert Path(psutil.Process(service.trainer_pid(spec)).cwd()) == service.folder(spec).path
    assert Path(psutil.Process(service.runner_pid(spec)).cwd()) == service.data_dir
    service.stop(spec, "kill")
    list(service.follow(spec))


def test_what_has_ended_leaves_neither_processes_nor_descriptors(service: ServiceProcess, spec: JobSpec) -> None:
    process = psutil.Process(service.process.pid)

    def run_and_delete(attempt: int) -> int:
        short = service.begin_ok(changed(spec, epochs=1, attempt=attempt))
        list(service.follow(short))
        wait_until(lambda: process.children(recursive=True) == [service.warm_parent()], "the end of all children")
        service.client.delete(f"/training/jobs/{short.job_uid}").raise_for_status()
        return process.num_fds()

    assert run_and_delete(1) == run_and_delete(2)


def test_a_followed_stream_has_a_heartbeat_while_nothing_happens(service: ServiceProcess, spec: JobSpec) -> None:
    hanging = service.begin_ok(misbehaving(spec, "hang"))
    address = f"/training/jobs/{hanging.job_uid}/events"
    silence = httpx.Timeout(10, read=HEARTBEAT_SECONDS + 2)
    with service.client.stream("GET", address, params={"follow": True}, timeout=silence) as lines:
        assert lines.headers["Content-Type"] == "application/x-ndjson"
        assert "" in lines.iter_lines()
    service.stop(hanging, "kill")
    list(service.follow(hanging))


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
