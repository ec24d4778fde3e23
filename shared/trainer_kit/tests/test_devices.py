from pathlib import Path

import pytest

from trainer_kit.devices import count_gpus, list_devices


def install_driver(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `nvidia-smi` that says what the script says."""
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_cuda_devices_are_numbered_as_the_driver_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_driver(tmp_path, "echo 'GPU-1a, NVIDIA H200, 143771'; echo 'GPU-2b, Odd, name, [N/A]'", monkeypatch)
    first, second, *rest = list_devices()
    assert (first.name, first.description, first.memory_bytes) == ("cuda:0", "NVIDIA H200", 143771 * 2**20)
    assert (second.name, second.description, second.memory_bytes) == ("cuda:1", "Odd, name", None)
    assert rest[-1].name == "cpu"
    assert count_gpus(list_devices()) == 2


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("0,1,2", ["A", "B", "C"]),
        ("2, 0", ["C", "A"]),
        ("GPU-2", ["B"]),
        ("1,-1,2", ["B"]),
        ("GPU,0", []),
        ("MIG-1", []),
        ("", []),
    ],
)
def test_a_device_that_cuda_does_not_show_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str, expected: list[str]
) -> None:
    install_driver(tmp_path, "echo GPU-1a, A, 1; echo GPU-2b, B, 1; echo GPU-3c, C, 1", monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    found = [device for device in list_devices() if device.name.startswith("cuda")]

    assert [device.description for device in found] == expected
    assert [device.name for device in found] == [f"cuda:{index}" for index in range(len(expected))]


@pytest.mark.parametrize("script", ["exit 9", "echo; exit 0"])
def test_a_driver_without_devices_leaves_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    install_driver(tmp_path, script, monkeypatch)
    assert not [device for device in list_devices() if device.name.startswith("cuda")]
    assert list_devices()[-1].memory_bytes
