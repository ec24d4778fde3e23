import dataclasses
import json
import subprocess
import sys

import psutil
import pytest

from trainer_kit.attempt_folder import AttemptFolder, ProcessIdentity, StopOrder, pid_namespace


@pytest.mark.parametrize(
    ("first", "second", "standing"),
    [
        ("pause", "stop", "stop"),
        ("pause", "kill", "kill"),
        ("stop", "kill", "kill"),
        ("stop", "pause", "stop"),
        ("kill", "pause", "kill"),
    ],
)
def test_a_harder_order_replaces_a_milder_one_and_never_the_other_way_round(
    folder: AttemptFolder, first: str, second: str, standing: str
) -> None:
    for mode in (first, second):
        folder.order_stop(StopOrder.model_validate({"attempt": 1, "mode": mode}))
    order = folder.read_stop()
    assert order is not None
    assert order.mode == standing


def test_a_process_is_distinguished_from_another_one_of_the_same_number(folder: AttemptFolder) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        folder.remember_process("trainer", psutil.Process(child.pid))
        found = folder.find_process("trainer")
        assert found is not None
        assert found.owner() == "itself"
        assert type(found)(found.pid, found.create_time - 3600).owner() == "another"
        child.kill()
    assert found.owner() == "nobody"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no other clock")
def test_a_process_is_itself_whatever_the_clock_is_set_to(folder: AttemptFolder) -> None:
    folder.remember_process("runner", psutil.Process())
    found = folder.find_process("runner")
    assert found is not None
    assert dataclasses.replace(found, create_time=found.create_time - 5).owner() == "itself"
    boot, tick = found.start.split()
    for start in (f"{boot} {int(tick) + 1}", f"another-boot {tick}"):
        assert dataclasses.replace(found, start=start).owner() == "another"


def test_a_process_that_an_earlier_version_has_noted_is_found(folder: AttemptFolder) -> None:
    own = psutil.Process()
    (folder.path / "runner.json").write_text(json.dumps({"pid": own.pid, "create_time": own.create_time()}))
    found = folder.find_process("runner")
    assert found is not None
    assert found.owner() == "itself"


def test_a_role_that_nobody_played_yet_is_none(folder: AttemptFolder) -> None:
    assert folder.find_process("runner") is None
    assert folder.read_stop() is None


def test_the_number_of_a_process_in_another_container_is_anothers_here() -> None:
    own = psutil.Process()
    here = ProcessIdentity(own.pid, own.create_time(), pid_namespace())
    assert here.owner() == "itself"
    assert dataclasses.replace(here, space="pid:[1]").owner() == "another"
    assert dataclasses.replace(here, space="").owner() == "itself", "as an earlier version wrote it"
