from pathlib import Path

import pytest

from trainer_kit.server.devices import list_devices


def install_driver(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `nvidia-smi` that says what the script says."""
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_cuda_devices_are_numbered_as_the_driver_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_driver(tmp_path, "echo 'NVIDIA H200, 143771'; echo 'Odd, name, [N/A]'", monkeypatch)
    first, second, *rest = list_devices()
    assert (first.name, first.description, first.memory_bytes) == ("cuda:0", "NVIDIA H200", 143771 * 2**20)
    assert (second.name, second.description, second.memory_bytes) == ("cuda:1", "Odd, name", None)
    assert rest[-1].name == "cpu"


@pytest.mark.parametrize("script", ["exit 9", "echo; exit 0"])
def test_a_driver_without_devices_leaves_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    install_driver(tmp_path, script, monkeypatch)
    assert not [device for device in list_devices() if device.name.startswith("cuda")]
    assert list_devices()[-1].memory_bytes
