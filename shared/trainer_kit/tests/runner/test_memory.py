from pathlib import Path

import pytest

from trainer_kit.runner import memory


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files as the kernel shows them, below a folder."""
    monkeypatch.setattr(memory, "CGROUP_ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "OWN_CGROUP", tmp_path / "self")
    monkeypatch.setattr(memory, "HOST_COUNTERS", tmp_path / "vmstat")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("cgroup", "file"),
    [("0::/a/b", "cgroup/a/b/memory.events"), ("9:memory:/a", "cgroup/memory/a/memory.oom_control")],
)
def test_the_counter_of_the_own_group_is_read_in_both_versions(machine: Path, cgroup: str, file: str) -> None:
    write(machine / "self", f"1:cpu:/x\n{cgroup}\n")
    write(machine / file, "low 0\noom 5\noom_kill 3\n")
    write(machine / "vmstat", "oom_kill 99\n")
    assert memory.count_oom_kills() == 3


def test_without_a_group_of_its_own_the_host_counts(machine: Path) -> None:
    write(machine / "self", "0::/\n")
    write(machine / "vmstat", "nr_free_pages 1\noom_kill 7\n")
    assert memory.count_oom_kills() == 7


def test_a_machine_without_counters_has_counted_nothing(machine: Path) -> None:
    assert memory.count_oom_kills() == 0
