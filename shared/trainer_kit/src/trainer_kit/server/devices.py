"""The devices of this machine, told without the libraries that would use them."""

import platform
import shutil
import subprocess

import psutil

from vision_contracts import DeviceInfo

QUERY_SECONDS = 10.0


def list_devices() -> list[DeviceInfo]:
    """CUDA devices as the driver counts them, Apple's GPU, and the CPU."""
    cpu = DeviceInfo(name="cpu", description=platform.machine(), memory_bytes=psutil.virtual_memory().total)
    return [*_cuda_devices(), *_apple_gpu(), cpu]


def _cuda_devices() -> list[DeviceInfo]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    query = [command, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=QUERY_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return [_parse(index, line) for index, line in enumerate(answer.stdout.splitlines()) if line.strip()]


def _parse(index: int, line: str) -> DeviceInfo:
    name, _, mebibytes = line.rpartition(",")
    memory = int(mebibytes) * 2**20 if mebibytes.strip().isdigit() else None
    return DeviceInfo(name=f"cuda:{index}", description=name.strip(), memory_bytes=memory)


def _apple_gpu() -> list[DeviceInfo]:
    is_apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return [DeviceInfo(name="mps", description="Apple GPU")] if is_apple else []
