import pytest

from trainer_kit.trainer import TrainingError, resolve_device
from trainer_kit.trainer.devices import resolve_world_devices
from vision_contracts import EndReason


@pytest.mark.parametrize(
    ("requested", "cuda_devices", "has_mps", "device"),
    [
        ("auto", 0, False, "cpu"),
        ("auto", 0, True, "mps"),
        ("auto", 2, True, "cuda:0"),
        ("cuda", 1, False, "cuda:0"),
        ("cuda:1", 2, False, "cuda:1"),
        ("mps", 0, True, "mps"),
        ("cpu", 2, True, "cpu"),
    ],
)
def test_a_device_that_is_there_is_taken(requested: str, cuda_devices: int, has_mps: bool, device: str) -> None:
    assert resolve_device(requested, cuda_devices=cuda_devices, has_mps=has_mps) == device


@pytest.mark.parametrize(
    ("requested", "cuda_devices", "device"),
    [("auto", 4, "cuda:2"), ("cuda", 4, "cuda:2"), ("cuda:1", 4, "cuda:1"), ("auto", 2, "cuda:0"), ("auto", 0, "cpu")],
)
def test_the_device_that_is_meant_is_taken_unless_the_job_asks_for_another(
    requested: str, cuda_devices: int, device: str
) -> None:
    assert resolve_device(requested, cuda_devices=cuda_devices, has_mps=False, gpu=2) == device


@pytest.mark.parametrize("requested", ["cuda", "cuda:0", "cuda:5", "mps"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(requested: str) -> None:
    with pytest.raises(TrainingError, match="has cpu") as caught:
        resolve_device(requested, cuda_devices=0, has_mps=False)
    assert caught.value.reason is EndReason.BAD_HYPERPARAMETERS


@pytest.mark.parametrize(
    ("requested", "gpus", "devices"),
    [
        ("auto", (1, 3), ["cuda:1", "cuda:3"]),
        ("cuda", (1, 3), ["cuda:1", "cuda:3"]),
        ("auto", (0,), ["cuda:0", "cuda:1"]),
        ("auto", (4, 5), ["cuda:0", "cuda:1"]),
        ("cpu", (1, 3), ["cpu", "cpu"]),
    ],
)
def test_each_process_has_a_device_of_those_that_are_meant(
    requested: str, gpus: tuple[int, ...], devices: list[str]
) -> None:
    assert resolve_world_devices(requested, cuda_devices=4, gpus=gpus, size=2) == devices


@pytest.mark.parametrize(("requested", "says"), [("auto", "has 1 of 2 GPUs"), ("cuda:0", "one device"), ("mps", "mps")])
def test_several_devices_that_are_not_there_are_refused(requested: str, says: str) -> None:
    with pytest.raises(TrainingError, match=says) as caught:
        resolve_world_devices(requested, cuda_devices=1, gpus=(0,), size=2)
    assert caught.value.reason is EndReason.BAD_HYPERPARAMETERS
