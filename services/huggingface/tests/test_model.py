"""The backbone of every type of model in the catalogue, and nothing of the head."""

import pytest
import torch
from transformers import PreTrainedModel

from huggingface_service.architectures import Architecture, architectures, find_architecture
from huggingface_service.model import build_model, find_backbone
from trainer_kit.testing.variants import variants
from trainer_kit.trainer import TrainingError
from vision_contracts import EndReason, TaskType

TYPES = [architecture.name for architecture in architectures() if architecture.hub_id is None]
QUICK_TYPES = ("convnext", "detr", "eomt", "maskformer", "mobilenet_v2", "segformer", "vit", "yolos")
"""Each task at least once, with and without a decoder."""
SHARES = {
    TaskType.IMAGE_CLASSIFICATION: (0.95, 1.0),
    TaskType.OBJECT_DETECTION: (0.3, 0.75),
    TaskType.SEMANTIC_SEGMENTATION: (0.3, 0.95),
    TaskType.INSTANCE_SEGMENTATION: (0.7, 0.9),
}
"""Shares of the weights that a backbone has, from the smallest to the largest."""
WITHOUT_DECODER = {"yolos", "eomt", "eomt_dinov3"}
"""Queries go through the backbone itself: next to everything is backbone."""


def build(architecture: Architecture, task: TaskType) -> PreTrainedModel:
    with torch.device("meta"):
        return build_model(architecture.fitted_config(task, class_names=("a", "b"), image_size=256), task)


@pytest.mark.parametrize("name", variants(TYPES, quick=QUICK_TYPES))
def test_a_backbone_is_what_extracts_features(name: str) -> None:
    architecture = find_architecture(name)
    for task in architecture.task_types:
        model = build(architecture, task)

        found = {id(weight) for weight in find_backbone(model).parameters()}

        sizes = {part: weight.numel() for part, weight in model.named_parameters() if id(weight) in found}
        low, high = SHARES[TaskType.IMAGE_CLASSIFICATION if name in WITHOUT_DECODER else task]
        assert low < sum(sizes.values()) / model.num_parameters() < high
        assert not [part for part in sizes if "decoder" in part or "classifier" in part]


def test_a_model_without_a_backbone_says_so() -> None:
    headless = build(find_architecture("resnet"), TaskType.IMAGE_CLASSIFICATION).base_model

    with pytest.raises(TrainingError, match="freeze_backbone to false") as caught:
        find_backbone(headless)

    assert caught.value.reason is EndReason.BAD_HYPERPARAMETERS
