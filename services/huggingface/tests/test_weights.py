"""Pretrained weights: from a cache that is there, and a quick word where there is none."""

from pathlib import Path

import pytest
import torch
from conftest import StartTraining
from huggingface_hub import constants

from huggingface_service import weights
from huggingface_service.architectures import build_model, find_architecture
from huggingface_service.checkpoint import read_checkpoint
from trainer_kit.trainer import TrainingError
from vision_contracts import EndReason, TaskType

CHECKPOINT = "google/mobilenet_v2_0.35_96"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize("stored_in", [torch.float32, torch.float16])
def test_weights_of_a_mounted_cache_are_trained_in_32_bits_without_the_hub(
    attempt: StartTraining, cache: Path, stored_in: torch.dtype
) -> None:
    task = TaskType.IMAGE_CLASSIFICATION
    torch.manual_seed(7)
    published = build_model(find_architecture(CHECKPOINT).default_config(task), task).to(stored_in)
    repository = cache / "models--google--mobilenet_v2_0.35_96"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0123abc")
    published.save_pretrained(repository / "snapshots" / "0123abc")

    done = attempt(model_name=CHECKPOINT, initial_weights="pretrained", hyperparameters={"freeze_backbone": True}).run()

    own, trained = published.float().state_dict(), read_checkpoint(done.checkpoint(5)).model
    assert len(trained) == len(own)
    assert all(torch.equal(trained[name], own[name]) for name in own if not name.startswith("classifier"))
    assert "2 tensors start from random values: classifier.bias, classifier.weight" in done.log


@pytest.mark.usefixtures("cache")
def test_without_cache_and_hub_the_user_is_told_what_to_do(attempt: StartTraining) -> None:
    with pytest.raises(TrainingError, match=r"HF_HUB_OFFLINE.*mount a cache.*from scratch") as caught:
        attempt(model_name=CHECKPOINT, initial_weights="pretrained").run()
    assert caught.value.reason == EndReason.WEIGHTS_UNAVAILABLE


@pytest.mark.usefixtures("cache")
def test_an_unreachable_hub_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nothing listens on the discard port

    with pytest.raises(TrainingError, match="cannot be reached") as caught:
        weights.find_weights(CHECKPOINT)
    assert caught.value.reason == EndReason.WEIGHTS_UNAVAILABLE


def test_an_architecture_without_weights_says_so(attempt: StartTraining) -> None:
    with pytest.raises(TrainingError, match="architecture without weights") as caught:
        attempt(model_name="resnet", initial_weights="pretrained").run()
    assert caught.value.reason == EndReason.WEIGHTS_UNAVAILABLE
