"""Reaping of orphaned processes, if this process is the first one of a container (PID 1)."""

import contextlib
import os

import psutil

FIRST_PROCESS = 1


def reap_orphans() -> None:
    """Reap ended children that this process has inherited from parents that have ended."""
    if os.getpid() != FIRST_PROCESS:
        return
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
