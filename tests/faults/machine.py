"""A machine that is switched off, and whose disk is gone."""

import shutil
from contextlib import suppress
from pathlib import Path

import psutil


def processes_on(disk: Path) -> list[psutil.Process]:
    """A service, its warm parent, runners and trainers, whoever their parent is by now."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("DATA_DIR") == str(disk):
                found.append(process)
    return found


def switch_off(disk: Path) -> None:
    """Ends whatever runs on the disk, also what is being forked meanwhile, and deletes it."""
    while doomed := processes_on(disk):
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(doomed, timeout=10)
    shutil.rmtree(disk)
