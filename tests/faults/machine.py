"""Loss of a machine together with its disk."""

import shutil
from contextlib import suppress
from pathlib import Path

import psutil


def processes_on(disk: Path) -> list[psutil.Process]:
    """Return a service, its warm parent, runners and trainers, also those that were adopted by another parent."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("DATA_DIR") == str(disk):
                found.append(process)
    return found


def switch_off(disk: Path) -> None:
    """Kill every process on the disk, also those that are forked meanwhile, and delete it."""
    while doomed := processes_on(disk):
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(doomed, timeout=10)
    with suppress(FileNotFoundError):  # a service that has just been started makes its folder later
        shutil.rmtree(disk)
