"""Reaps processes that nobody else will, where this process is the first one of a container."""

import contextlib
import os

import psutil

FIRST_PROCESS = 1


def reap_orphans() -> None:
    """Takes the exit codes of ended children that were given to us when their own parent had ended."""
    if os.getpid() != FIRST_PROCESS:
        return
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
