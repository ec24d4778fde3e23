"""The optimizer and the learning rate are the user's."""

import pytest
import torch
from transformers import PreTrainedModel

from huggingface_service.architectures import find_architecture
from huggingface_service.config import OPTIMIZERS, DetectionHyperparameters, LabelingHyperparameters
from huggingface_service.model import build_model, find_backbone, freeze_backbone
from huggingface_service.optimization import make_optimizer, rate_factor
from vision_contracts import TaskType, TrainingParams


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    architecture = find_architecture("google/mobilenet_v2_0.35_96")
    return build_model(architecture.default_config(TaskType.IMAGE_CLASSIFICATION), TaskType.IMAGE_CLASSIFICATION)


def params(optimizer: str) -> TrainingParams:
    return TrainingParams(epochs=1, batch_size=1, learning_rate=0.03, optimizer=optimizer)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_named_optimizer_is_built_with_the_given_rate_and_settings(model: PreTrainedModel, name: str) -> None:
    settings = LabelingHyperparameters(weight_decay=0.3, momentum=0.4)

    optimizer = make_optimizer(model, params(name), settings)

    assert type(optimizer).__name__.lower() == name
    assert {group["lr"] for group in optimizer.param_groups} == {0.03}
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]
    if name in ("sgd", "rmsprop"):
        assert {group["momentum"] for group in optimizer.param_groups} == {0.4}


def test_biases_and_norms_do_not_decay_and_every_weight_is_trained(model: PreTrainedModel) -> None:
    decaying, others = make_optimizer(model, params("adamw"), LabelingHyperparameters()).param_groups

    assert all(parameter.ndim > 1 for parameter in decaying["params"])
    assert all(parameter.ndim <= 1 for parameter in others["params"])
    assert len(decaying["params"]) + len(others["params"]) == len(list(model.parameters()))


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("microsoft/table-transformer-detection", TaskType.OBJECT_DETECTION),
        ("mask2former", TaskType.INSTANCE_SEGMENTATION),
        ("eomt", TaskType.INSTANCE_SEGMENTATION),
    ],
)
def test_a_backbone_below_objects_learns_at_its_own_rate(name: str, task: TaskType) -> None:
    with torch.device("meta"):
        detector = build_model(find_architecture(name).default_config(task), task)

    optimizer = make_optimizer(detector, params("adamw"), DetectionHyperparameters(backbone_lr=0.1))

    slow = {id(parameter) for parameter in find_backbone(detector).parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert group["lr"] == pytest.approx(0.003 if id(parameter) in slow else 0.03)
    assert 0 < len(slow) < len(list(detector.parameters()))


def test_a_frozen_backbone_leaves_the_optimizer_the_head() -> None:
    architecture = find_architecture("google/mobilenet_v2_0.35_96")
    with torch.device("meta"):
        fresh = build_model(architecture.default_config(TaskType.IMAGE_CLASSIFICATION), TaskType.IMAGE_CLASSIFICATION)
    freeze_backbone(fresh)

    optimizer = make_optimizer(fresh, params("sgd"), LabelingHyperparameters())

    assert sum(len(group["params"]) for group in optimizer.param_groups) == 2


@pytest.mark.parametrize(
    ("scheduler", "middle", "end"), [("cosine", 0.55, 0.1), ("linear", 0.55, 0.1), ("constant", 1.0, 1.0)]
)
def test_the_rate_rises_then_falls_as_the_schedule_says(scheduler: str, middle: float, end: float) -> None:
    settings = LabelingHyperparameters(scheduler=scheduler, warmup=0.2, final_lr=0.1)
    factors = [rate_factor(step, settings=settings, steps=100) for step in range(101)]

    assert factors[:20] == sorted(factors[:20])
    assert 0 < factors[0] < 0.1
    assert factors[20] == 1.0
    assert factors[60] == pytest.approx(middle)
    assert factors[100] == pytest.approx(end)
