"""The devices of this machine, told without the libraries that would use them."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Sequence

import psutil

from vision_contracts import DeviceInfo

QUERY_SECONDS = 10.0


def list_devices() -> list[DeviceInfo]:
    """CUDA devices in the driver's order and as far as this process may see them, Apple's GPU, and the CPU."""
    cpu = DeviceInfo(name="cpu", description=platform.machine(), memory_bytes=psutil.virtual_memory().total)
    return [*_cuda_devices(), *_apple_gpu(), cpu]


def count_gpus(devices: Iterable[DeviceInfo]) -> int:
    """How many of them are CUDA devices, of which each can train a job of its own."""
    return sum(device.name.startswith("cuda:") for device in devices)


def _cuda_devices() -> list[DeviceInfo]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    query = [command, "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=QUERY_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    lines = [line for line in answer.stdout.splitlines() if line.strip()]
    visible = _visible(lines, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return [_parse(index, line) for index, line in enumerate(visible)]


def _visible(lines: Sequence[str], wanted: str | None) -> Sequence[str]:
    """Those that CUDA_VISIBLE_DEVICES names, by number or by the beginning of their UUID; a wrong name ends the list,
    as it does for CUDA.
    """
    if wanted is None:
        return lines
    found: list[str] = []
    for name in (part.strip() for part in wanted.split(",")):
        named = [line for index, line in enumerate(lines) if name == str(index) or (name and line.startswith(name))]
        if len(named) != 1:
            break
        found += named
    return found


def _parse(index: int, line: str) -> DeviceInfo:
    name, _, mebibytes = line.partition(",")[2].rpartition(",")
    memory = int(mebibytes) * 2**20 if mebibytes.strip().isdigit() else None
    return DeviceInfo(name=f"cuda:{index}", description=name.strip(), memory_bytes=memory)


def _apple_gpu() -> list[DeviceInfo]:
    is_apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return [DeviceInfo(name="mps", description="Apple GPU")] if is_apple else []
