"""Devices of this machine, listed without loading a machine-learning library."""

import os
import platform
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from http_kit.children import ask_program
from vision_contracts import DeviceInfo

QUERY_SECONDS = 10.0


def list_devices() -> list[DeviceInfo]:
    """Return the CUDA devices that this process may see, in the driver's order, Apple's GPU, and the CPU."""
    cpu = DeviceInfo(name="cpu", description=_cpu_name(), memory_bytes=psutil.virtual_memory().total)
    return [*_cuda_devices(), *_apple_gpu(), cpu]


def describe_device(device: str) -> str:
    """Return the product name of a device such as `cuda:0`; the given name if this machine does not have it."""
    return next((found.description for found in list_devices() if found.name == device), device)


def count_gpus(devices: Iterable[DeviceInfo]) -> int:
    """Count the CUDA devices, each of which can train a job of its own."""
    return sum(device.name.startswith("cuda:") for device in devices)


def device_count_error(requested: str, size: int, *, gpus: int) -> str | None:
    """Return the reason why a job with the device `requested` cannot train on `size` devices of a machine with `gpus`
    GPUs, as the end of a message about `num_devices`; None if it can.

    On the CPU it trains in as many processes: slower than one, but useful to try it out.
    """
    if size == 1 or requested == "cpu":
        return None
    if requested not in ("auto", "cuda"):
        return f"{requested} is one device, not {size}. Set `device` to `auto`, or num_devices to 1."
    if gpus < size:
        return f"this machine has {gpus} of {size} GPUs. Set it to {max(1, gpus)}."
    return None


def _cuda_devices() -> list[DeviceInfo]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    query = [command, "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"]
    answer = ask_program(query, seconds=QUERY_SECONDS)
    lines = [line for line in (answer or "").splitlines() if line.strip()]
    visible = _visible(lines, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return [_parse(index, line) for index, line in enumerate(visible)]


def _visible(lines: Sequence[str], visible_devices: str | None) -> Sequence[str]:
    """Select the devices that CUDA_VISIBLE_DEVICES names, by number or by a prefix of their UUID. A wrong name ends the
    list, as in CUDA.
    """
    if visible_devices is None:
        return lines
    found: list[str] = []
    for name in (part.strip() for part in visible_devices.split(",")):
        named = [line for index, line in enumerate(lines) if name == str(index) or (name and line.startswith(name))]
        if len(named) != 1:
            break
        found += named
    return found


def _parse(index: int, line: str) -> DeviceInfo:
    name, _, mebibytes = line.partition(",")[2].rpartition(",")
    memory = int(mebibytes) * 2**20 if mebibytes.strip().isdigit() else None
    return DeviceInfo(name=f"cuda:{index}", description=name.strip(), memory_bytes=memory)


def _cpu_name() -> str:
    """Name and cores of the CPU, such as `AMD EPYC 7B13, 2 cores`."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # other systems and other processors have no such line
        model = platform.processor() or platform.machine()
    return f"{model}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"


def _apple_gpu() -> list[DeviceInfo]:
    is_apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return [DeviceInfo(name="mps", description="Apple GPU")] if is_apple else []
