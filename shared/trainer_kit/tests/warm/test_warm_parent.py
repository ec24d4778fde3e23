"""The life of a warm parent: started, killed, idle, unable to import."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from trainer_kit.settings import RunnerSettings
from trainer_kit.supervisor import warm_launcher
from trainer_kit.testing.fake_adapter import ADAPTER_PATH
from trainer_kit.testing.service_process import ServiceProcess
from trainer_kit.testing.specs import make_fake_spec
from trainer_kit.testing.waiting import wait_until
from vision_contracts import Failed, JobSpec

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a warm parent needs Linux")


@pytest.fixture
def start(dataset_path: Path, tmp_path: Path) -> Iterator[Callable[..., ServiceProcess]]:
    started: list[ServiceProcess] = []

    def begin(**environment: str) -> ServiceProcess:
        service = ServiceProcess(ADAPTER_PATH, tmp_path / "data", [dataset_path.parent], SLOTS="4", **environment)
        started.append(service)
        return service.start()

    yield begin
    for service in started:
        service.close()


@pytest.fixture
def spec(dataset_path: Path, tmp_path: Path) -> Callable[[], JobSpec]:
    return lambda: make_fake_spec((tmp_path / "data" / "storage").as_uri(), dataset_path.as_uri())


def warm(service: ServiceProcess) -> psutil.Process:
    return wait_until(service.warm_parent, "a warm parent")


def is_forked(service: ServiceProcess, spec: JobSpec) -> bool:
    return psutil.Process(service.trainer_pid(spec)).cmdline()[0].startswith("trainer: ")


def test_a_killed_parent_leaves_the_training_alone_and_is_replaced(
    start: Callable[..., ServiceProcess], spec: Callable[[], JobSpec]
) -> None:
    service = start()
    parent = warm(service)
    running = service.begin_ok(spec())
    service.wait_for(running, "metrics")
    parent.kill()
    wait_until(lambda: not parent.is_running(), "the end of the parent")
    other = service.begin_ok(spec())
    service.wait_for(other, "metrics")
    assert is_forked(service, other)
    assert warm(service).pid != parent.pid
    seen = len(service.events(running))
    wait_until(lambda: len(service.events(running)) > seen, "the first training to continue")


def test_a_parent_that_nobody_asks_is_replaced_too(start: Callable[..., ServiceProcess]) -> None:
    service = start()
    parent = warm(service)
    parent.kill()
    wait_until(lambda: (now := service.warm_parent()) and now.pid != parent.pid, "another parent", timeout_seconds=15)


def test_a_parent_killed_over_a_request_loses_that_attempt_and_says_so(
    start: Callable[..., ServiceProcess], spec: Callable[[], JobSpec]
) -> None:
    service = start()
    parent = warm(service)
    os.kill(parent.pid, signal.SIGSTOP)
    waiting = service.begin_ok(spec())
    assert [held.state for held in service.held()] == ["running"]
    parent.kill()
    ending = list(service.follow(waiting))[-1].body
    assert isinstance(ending, Failed)
    assert ending.reason == "trainer_killed"


def test_an_idle_parent_lets_go_of_its_memory_and_is_back_when_it_is_needed(
    start: Callable[..., ServiceProcess], spec: Callable[[], JobSpec]
) -> None:
    service = start(WARM_IDLE_SECONDS="0.5")
    wait_until(lambda: "ending to free the memory" in service.log_file.read_text(), "the end of the idle parent")
    wait_until(lambda: service.warm_parent() is None, "the end of its process")
    first = service.begin_ok(spec())
    service.wait_for(first, "metrics")
    assert is_forked(service, first)


def test_a_parent_that_cannot_import_is_done_without(
    start: Callable[..., ServiceProcess], spec: Callable[[], JobSpec], tmp_path: Path
) -> None:
    (tmp_path / "setproctitle.py").write_text(
        "import sys\n"
        "if 'trainer_kit.warm' in sys.orig_argv: raise ImportError('broken on purpose')\n"
        "def setproctitle(title): pass\n"
    )
    service = start(PYTHONPATH=str(tmp_path))
    wait_until(lambda: "cannot be kept warm" in service.log_file.read_text(), "giving up", timeout_seconds=40)
    fresh = service.begin_ok(spec())
    service.wait_for(fresh, "metrics")
    assert not is_forked(service, fresh)


def test_a_parent_that_cannot_be_started_is_tried_again_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(warm_launcher, "WarmParent", fail)
    now = 0.0
    launcher = warm_launcher.WarmLauncher(
        RunnerSettings(data_dir=tmp_path), ADAPTER_PATH, idle_seconds=1, clock=lambda: now
    )
    for _ in range(2):
        with pytest.raises(OSError, match="Cannot allocate"):
            launcher.maintain()
        launcher.maintain()
        now += warm_launcher.RESTART_SECONDS


def test_a_parent_has_started_no_thread_but_those_of_the_linear_algebra_library(
    start: Callable[..., ServiceProcess],
) -> None:
    """OpenBLAS starts its threads when numpy is loaded, and looks after them itself when the process is forked."""
    service = start(OPENBLAS_NUM_THREADS="1")
    wait_until(lambda: "is warm after" in service.log_file.read_text(), "the warm-up")
    assert warm(service).num_threads() == 1


def test_the_end_of_the_service_ends_the_parent(start: Callable[..., ServiceProcess]) -> None:
    service = start()
    parent = warm(service)
    service.kill()
    wait_until(lambda: not parent.is_running(), "the end of the parent", timeout_seconds=10)
