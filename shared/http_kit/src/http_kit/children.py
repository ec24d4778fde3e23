"""Child processes and their environment. No other module of backend and kit starts a program: a child gets the
variables of a list, never what a later version or an operator may have put beside them.
"""

import asyncio
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, NewType

ChildEnvironment = NewType("ChildEnvironment", dict[str, str])
"""The whole environment of a child, made by the functions of this module alone."""

BASE = (
    "PATH", "HOME", "USER", "LOGNAME", "HOSTNAME", "TMPDIR", "XDG_*", "LANG", "LANGUAGE", "LC_*", "TZ", "TZDIR",
    "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "MALLOC_*",
    "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONHASHSEED", "PYTHONIOENCODING", "PYTHONPYCACHEPREFIX",
    "PYTHONUNBUFFERED", "PYTHONUTF8", "PYTHONWARNINGS",
    "SSL_CERT_*", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
)  # fmt: skip
"""Names, and prefixes with `*`, that any program needs to run on this machine."""
SAME_PYTHON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables of a Python environment, for children that run in the same one."""
PROXIES = tuple(name for each in ("HTTP", "HTTPS", "ALL", "NO") for name in (f"{each}_PROXY", f"{each}_PROXY".lower()))
STORAGE = ("AWS_*", "AZURE_*", "GOOGLE_*", "STORAGE_URL")
"""Variables of the storage, with its credentials: for what reads and writes there, and for no framework's code."""
HUB = ("HF_*",)
LIBRARIES = (
    *HUB, "TORCH_*", "PYTORCH_*", "CUDA_*", "NVIDIA_*", "NCCL_*", "OMP_*", "KMP_*", "MKL_*", "OPENBLAS_*",
    "MPLCONFIGDIR",
)  # fmt: skip
TRACING = ("OTEL_*",)

NEVER = frozenset(
    {"ADMIN_PASSWORD", "DATABASE_URL", "HUB_TOKEN", "JWT_SECRET", "METRICS_TOKEN", "PARENT_PIPE_FD", "SERVICE_TOKEN"}
)
"""Secrets of the platform, which no pattern selects. A child that needs one is given it by `values`."""
PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?")


def child_environment(
    environ: Mapping[str, str], allowed: Iterable[str], values: Mapping[str, str] | None = None
) -> ChildEnvironment:
    """Return the variables of `environ` that `allowed` names or has a prefix of, with `values` over them."""
    patterns = tuple(allowed)
    names = {pattern for pattern in patterns if not pattern.endswith("*")}
    prefixes = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))
    kept = {
        name: value
        for name, value in environ.items()
        if (name in names or name.startswith(prefixes)) and name.removesuffix("_FILE") not in NEVER
    }
    return ChildEnvironment(kept | dict(values or {}))


def without(environment: ChildEnvironment, forbidden: Iterable[str]) -> ChildEnvironment:
    """Return an environment without the variables that `forbidden` selects."""
    removed = child_environment(environment, forbidden)
    return ChildEnvironment({name: value for name, value in environment.items() if name not in removed})


def with_values(environment: ChildEnvironment, values: Mapping[str, str]) -> ChildEnvironment:
    """Return an environment with further values, which replace those that it has."""
    return ChildEnvironment(environment | dict(values))


def wrong_patterns(patterns: Iterable[str]) -> list[str]:
    """Return what is neither a variable's name nor a prefix with `*`, such as a bare `*`."""
    return [pattern for pattern in patterns if PATTERN.fullmatch(pattern) is None]


def start_process(
    command: Sequence[str],
    environment: ChildEnvironment,
    *,
    folder: Path,
    stdout: int | IO[bytes] | None = None,
    stderr: int | None = None,
    pass_fds: Sequence[int] = (),
) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own, so that signals of a terminal do not reach it. Raises OSError."""
    return subprocess.Popen(  # noqa: S603
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        start_new_session=True,
    )


async def open_process(
    command: Sequence[str],
    environment: ChildEnvironment,
    *,
    folder: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    stderr: int | None = None,
    pass_fds: Sequence[int] = (),
) -> asyncio.subprocess.Process:
    """Start a program in a session of its own, with a pipe from its output. Raises OSError."""
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        pass_fds=pass_fds,
        start_new_session=True,
    )


def ask_program(command: Sequence[str], *, seconds: float) -> str | None:
    """Return what a program of this machine prints; None if it fails or takes longer than `seconds`."""
    environment = child_environment(os.environ, (*BASE, "CUDA_*", "NVIDIA_*"))
    try:
        answer = subprocess.run(  # noqa: S603
            command, env=environment, capture_output=True, text=True, timeout=seconds, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout
