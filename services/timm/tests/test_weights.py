"""Sources of weights, and the errors when they have none."""

import os
import pickle
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save_file
from trainings import StartTraining, Training, draw_shapes, state_of

from timm_service.model import build_model
from trainer_kit.trainer import TrainingError
from vision_contracts import EndReason

MODEL = "test_resnet"
REVISION = "0" * 40


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The hub is a port that refuses connections; caches are empty."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
        yield


def published(value: float) -> dict[str, torch.Tensor]:
    """Weights as they are published, recognisable by their value."""
    state = timm.create_model(MODEL).state_dict()
    return {name: torch.full_like(tensor, value) for name, tensor in state.items() if tensor.is_floating_point()}


def put_into_hub_cache(cache: Path, repository: str, state: dict[str, torch.Tensor]) -> None:
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "snapshots" / REVISION).mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(REVISION)
    save_file(state, folder / "snapshots" / REVISION / "model.safetensors")


def first_weights(training: Training) -> dict[str, torch.Tensor]:
    """Weights that the training begins with."""
    return build_model(training.run, 32).state_dict()


def save_checkpoint(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_without_a_network_pretrained_fails_within_seconds_and_says_what_to_do(training: StartTraining) -> None:
    begun = time.monotonic()
    with pytest.raises(TrainingError, match=r"test_resnet.*mount a cache.*train from scratch") as caught:
        training(MODEL, initial_weights="pretrained").train()
    assert caught.value.reason is EndReason.WEIGHTS_UNAVAILABLE
    assert time.monotonic() - begun < 10


def test_an_architecture_without_published_weights_says_so_at_once(training: StartTraining) -> None:
    with pytest.raises(TrainingError, match="Nobody has published") as caught:
        training("dpn48b", initial_weights="pretrained").train()
    assert caught.value.reason is EndReason.WEIGHTS_UNAVAILABLE


def test_weights_in_a_mounted_hub_cache_are_used_without_a_network(training: StartTraining, tmp_path: Path) -> None:
    put_into_hub_cache(tmp_path / "hub", "timm/test_resnet.r160_in1k", published(0.25))
    started = training(MODEL, initial_weights="pretrained")
    weights = first_weights(started)
    assert torch.all(weights["conv1.0.weight"] == 0.25)
    assert weights["fc.weight"].shape[0] == 3
    assert "Started from the pretrained weights test_resnet.r160_in1k" in started.log


def test_weights_that_torch_hub_has_downloaded_are_used_without_a_network(
    training: StartTraining, tmp_path: Path
) -> None:
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state = timm.create_model("resnet18").state_dict()
    torch.save(state, folder / Path(str(timm.get_pretrained_cfg("resnet18.tv_in1k").url)).name)
    started = training("resnet18", initial_weights="pretrained", pretrained_tag="tv_in1k")
    assert torch.equal(first_weights(started)["conv1.weight"], state["conv1.weight"])


def test_a_tag_that_does_not_exist_is_refused_with_those_that_do(training: StartTraining) -> None:
    with pytest.raises(TrainingError, match=r"pretrained_tag.*r160_in1k") as caught:
        training(MODEL, initial_weights="pretrained", pretrained_tag="imagenet").train()
    assert caught.value.reason is EndReason.BAD_HYPERPARAMETERS


def test_an_earlier_jobs_checkpoint_gives_all_but_the_classifier_of_other_classes(
    training: StartTraining, tmp_path: Path
) -> None:
    earlier = training(params={"epochs": 1}).train().checkpoints[0]
    two = draw_shapes(tmp_path / "two", train=4, val=2, classes=("circle", "square"))
    started = training(dataset=two, initial_checkpoint=earlier)
    weights, given = first_weights(started), torch.load(earlier, weights_only=True)["model"]
    assert torch.equal(weights["conv1.0.weight"], given["conv1.0.weight"])
    assert weights["fc.weight"].shape[0] == 2
    assert "left new: fc.weight, fc.bias." in started.log
    assert f"Took {len(given) - 2} of {len(given)} tensors" in started.log


def test_averaged_weights_are_preferred_as_they_are_what_was_validated(training: StartTraining) -> None:
    earlier = training(params={"epochs": 1}, ema_decay=0.99).train().checkpoints[0]
    weights = first_weights(training(initial_checkpoint=earlier))
    averaged = torch.load(earlier, weights_only=True)["model"]
    trained = torch.load(state_of(earlier), weights_only=True)["trained"]
    assert torch.equal(weights["fc.weight"], averaged["fc.weight"])
    assert not torch.equal(weights["fc.weight"], trained["fc.weight"])


def test_a_checkpoint_that_would_run_code_is_refused_unrun(training: StartTraining, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(mark),)

    with pytest.raises(TrainingError, match="cannot be read") as caught:
        training(initial_checkpoint=save_checkpoint(tmp_path / "bad.pt", {"model": Malicious()})).train()
    assert caught.value.reason is EndReason.WEIGHTS_UNAVAILABLE
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps([1, 2], protocol=2)])
def test_a_file_that_is_no_checkpoint_is_refused(training: StartTraining, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pt"
    path.write_bytes(content)
    with pytest.raises(TrainingError) as caught:
        training(initial_checkpoint=path).train()
    assert caught.value.reason is EndReason.WEIGHTS_UNAVAILABLE


def test_a_checkpoint_of_another_architecture_is_refused(training: StartTraining, tmp_path: Path) -> None:
    other = save_checkpoint(tmp_path / "other.pt", {"model": {"somewhere.else": torch.zeros(3)}})
    with pytest.raises(TrainingError, match="same architecture") as caught:
        training(initial_checkpoint=other).train()
    assert caught.value.reason is EndReason.WEIGHTS_UNAVAILABLE
