"""The validation of a training and the evaluation of a checkpoint measure stored predictions against the same truth."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.ops import box_convert

from data_kit import Split
from huggingface_service.network import instances
from huggingface_service.tasks import TASKS
from trainer_kit.evaluation import BACKGROUND, label_names
from trainer_kit.testing.stored_predictions import (
    SIDE,
    evaluate_stored,
    hard_dataset,
    masks,
    record_updates,
    stored_outputs,
)
from vision_contracts import TaskType

TASK_SETTINGS: Any = SimpleNamespace(label_smoothing=0.0)


def outputs_of(task: TaskType) -> tuple[Any, dict[str, np.ndarray]]:
    """Outputs of a model for one image with one class, and the same in the form of an evaluation."""
    stored = stored_outputs(task, classes=1)
    if task is TaskType.IMAGE_CLASSIFICATION:
        logits = torch.tensor([[2.0, 1.0]])
        return logits, {"probabilities": logits.softmax(1)[0].numpy()}
    if task is TaskType.SEMANTIC_SEGMENTATION:
        return torch.from_numpy(stored["scores"])[None], stored
    logits = torch.from_numpy(stored["scores"]).logit()[None]
    if task is TaskType.OBJECT_DETECTION:
        boxes = box_convert(torch.from_numpy(stored["boxes"]), "xyxy", "cxcywh")[None] / SIDE
        return SimpleNamespace(logits=logits, pred_boxes=boxes), stored | {"scores": logits.sigmoid()[0].numpy()}
    classes = torch.cat([logits, torch.zeros_like(logits)], dim=-1)
    shapes = torch.from_numpy(masks() * np.float32(8) - 4)[None]
    names = ("boxes", "scores", "coefficients", "prototypes")
    as_evaluated = dict(zip(names, (one[0].numpy() for one in instances(classes, shapes, (SIDE, SIDE))), strict=True))
    return SimpleNamespace(class_queries_logits=classes, masks_queries_logits=shapes), as_evaluated


@pytest.mark.parametrize("task", TASKS)
def test_training_and_evaluation_report_the_same_to_the_last_digit(task: TaskType, tmp_path: Path) -> None:
    """All images but one are as large as what the model sees: masks are compared in cells of the prediction's own."""
    is_classes, is_masks = task is TaskType.IMAGE_CLASSIFICATION, task is TaskType.INSTANCE_SEGMENTATION
    dataset = hard_dataset(tmp_path, task, classes=1 + is_classes, with_turned=not is_masks)
    outputs, as_evaluated = outputs_of(task)
    description: dict[str, Any] = {"resize": "squash"}
    if task is TaskType.SEMANTIC_SEGMENTATION:
        description |= {"class_names": label_names(dataset.class_names), "background": BACKGROUND}
    measure = TASKS[task](dataset, TASK_SETTINGS).new_measure(dataset[Split.VAL])

    with record_updates() as in_training:
        for _ in dataset[Split.VAL]:
            measure.update(outputs, {"pixels": torch.zeros(1, 3, SIDE, SIDE), "labels": torch.zeros(1)})
    with record_updates() as in_evaluation:
        evaluation = evaluate_stored(dataset, task, as_evaluated, **description)

    assert len(in_training) == len(dataset[Split.VAL])
    assert in_training == in_evaluation
    assert measure.evaluator.values() == evaluation.values()
    assert measure.evaluator.evaluate() == evaluation.evaluate()
