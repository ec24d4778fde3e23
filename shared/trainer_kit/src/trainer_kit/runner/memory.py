"""Count of the processes that the kernel has killed for lack of memory."""

from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
HOST_COUNTERS = Path("/proc/vmstat")


def count_oom_kills() -> int:
    """Return the counter of this process's control group, else the host's; 0 if there is none (macOS)."""
    for path in [*_cgroup_files(), HOST_COUNTERS]:
        count = _read_counter(path)
        if count is not None:
            return count
    return 0


def _cgroup_files() -> list[Path]:
    """Return the paths of `memory.events` (version 2) and `memory.oom_control` (version 1)."""
    try:
        lines = OWN_CGROUP.read_text().splitlines()
    except OSError:
        return []
    files: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            files.append(CGROUP_ROOT / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            files.append(CGROUP_ROOT / "memory" / path.lstrip("/") / "memory.oom_control")
    return files


def _read_counter(path: Path) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
