"""Pretrained weights: from a cache that is there, and a quick word where there is none."""

from pathlib import Path
from typing import Any

import pytest
import torch
from attempts import Attempt
from conftest import StartTraining
from huggingface_hub import constants
from transformers import PreTrainedModel

from huggingface_service import weights
from huggingface_service.architectures import find_architecture
from huggingface_service.checkpoint import load_checkpoint
from huggingface_service.model import build_model
from huggingface_service.position_embeddings import resample_position_embeddings
from trainer_kit.trainer import TrainingError
from vision_contracts import EndReason, TaskType

CHECKPOINT = "google/mobilenet_v2_0.35_96"
TRANSFORMER = "WinKawaks/vit-tiny-patch16-224"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_into(cache: Path, hub_id: str, model: PreTrainedModel) -> None:
    """Store a file as the hub's own client does."""
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0123abc")
    model.save_pretrained(repository / "snapshots" / "0123abc")


@pytest.mark.parametrize("stored_in", [torch.float32, torch.float16])
def test_weights_of_a_mounted_cache_are_trained_in_32_bits_without_the_hub(
    attempt: StartTraining, cache: Path, stored_in: torch.dtype
) -> None:
    task = TaskType.IMAGE_CLASSIFICATION
    torch.manual_seed(7)
    published = build_model(find_architecture(CHECKPOINT).default_config(task), task).to(stored_in)
    put_into(cache, CHECKPOINT, published)

    done = attempt(model_name=CHECKPOINT, initial_weights="pretrained", hyperparameters={"freeze_backbone": True}).run()

    own, trained = published.float().state_dict(), load_checkpoint(done.checkpoint(5)).model
    assert len(trained) == len(own)
    assert all(torch.equal(trained[name], own[name]) for name in own if not name.startswith("classifier"))
    assert "2 tensors start from random values: classifier.bias, classifier.weight" in done.log


def test_positions_are_taken_over_from_the_hub_and_from_a_checkpoint_to_images_of_another_size(
    attempt: StartTraining, cache: Path
) -> None:
    task, name = TaskType.IMAGE_CLASSIFICATION, "vit.embeddings.position_embeddings"
    published = build_model(find_architecture(TRANSFORMER).default_config(task), task)
    put_into(cache, TRANSFORMER, published)
    frozen = {"model_name": TRANSFORMER, "params": {"batch_size": 20}}

    def train(folder: str, size: int, **begin: Any) -> Attempt:
        return attempt(folder, **frozen, **begin, hyperparameters={"image_size": size, "freeze_backbone": True}).run()

    first = train("first", 64, initial_weights="pretrained")
    second = train("second", 96, initial_checkpoint=first.checkpoint(1))

    before = published.state_dict()
    for done in (first, second):
        after = load_checkpoint(done.checkpoint(1)).model
        expected = {**before, **resample_position_embeddings(before, after)}
        assert torch.equal(after[name], expected[name])
        assert f"1 tables of positions are resampled for this size of image: {name}." in done.log
        assert name not in "".join(line for line in done.log.splitlines() if "random values" in line)
        before = after


@pytest.mark.usefixtures("cache")
def test_without_cache_and_hub_the_error_says_what_to_do(attempt: StartTraining) -> None:
    with pytest.raises(TrainingError, match=r"HF_HUB_OFFLINE.*mount a cache.*from scratch") as caught:
        attempt(model_name=CHECKPOINT, initial_weights="pretrained").run()
    assert caught.value.reason == EndReason.WEIGHTS_UNAVAILABLE


@pytest.mark.usefixtures("cache")
def test_an_unreachable_hub_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # the discard port, on which nothing listens

    with pytest.raises(TrainingError, match="cannot be reached") as caught:
        weights.find_pretrained(CHECKPOINT)
    assert caught.value.reason == EndReason.WEIGHTS_UNAVAILABLE


def test_an_architecture_without_weights_says_so(attempt: StartTraining) -> None:
    with pytest.raises(TrainingError, match="architecture without weights") as caught:
        attempt(model_name="resnet", initial_weights="pretrained").run()
    assert caught.value.reason == EndReason.WEIGHTS_UNAVAILABLE
