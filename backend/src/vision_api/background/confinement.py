"""Confinement of a process that decodes files of strangers: it takes a bounded part of the machine's memory, and is the
first to be ended where memory ends. Linux enforces all of it; other systems what they can.
"""

import resource
from contextlib import suppress
from pathlib import Path

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Variables by which numeric libraries compute in one thread; each reserves memory for every other one."""


def confine(memory_bytes: int) -> None:
    """Let this process take no more memory: an allocation beyond it raises MemoryError."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
