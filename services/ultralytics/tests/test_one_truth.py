"""The validation of a training and the evaluation of a checkpoint measure stored predictions against the same truth."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data_kit import Dataset, Split
from trainer_kit.evaluation import Evaluator
from trainer_kit.inference import Arrays
from trainer_kit.testing.stored_predictions import (
    BOXES,
    SIDE,
    evaluate_stored,
    hard_dataset,
    masks,
    record_updates,
    stored_outputs,
)
from ultralytics_service.kinds import Kind
from ultralytics_service.library import torch
from ultralytics_service.network import labels_of
from ultralytics_service.predictions import PREDICTIONS


class Validator:
    """One whose own measures are of no interest."""

    def __init__(self, dataset: Dataset) -> None:
        self.names = dict(enumerate(dataset.class_names))
        images = SimpleNamespace(samples=[(str(sample.image), 0) for sample in dataset[Split.VAL]])
        self.dataloader = SimpleNamespace(dataset=images)

    def update_metrics(self, predictions: Any, batch: dict[str, Any]) -> None:
        pass


def validated(dataset: Dataset, kind: Kind, outputs: Arrays) -> Evaluator:
    """Predict by a validation of the library, which sees each image in the middle of a square."""
    samples = dataset[Split.VAL]
    predictions = PREDICTIONS[kind](kind, dataset, Split.VAL, Validator(dataset))
    batch = {
        "img": torch.zeros(len(samples), 3, SIDE, SIDE),
        "cls": torch.zeros(len(samples)),
        "im_file": [str(sample.image) for sample in samples],
        "ori_shape": [(sample.height, sample.width) for sample in samples],
        "ratio_pad": [((1.0, 1.0), ((SIDE - sample.width) // 2, (SIDE - sample.height) // 2)) for sample in samples],
    }
    if kind is Kind.CLASSIFY:
        shown = torch.from_numpy(outputs["probabilities"]).repeat(len(samples), 1)
    elif kind is Kind.SEMANTIC:
        shown = torch.from_numpy(outputs["scores"].argmax(0)).repeat(len(samples), 1, 1)
    else:
        shown = [objects(kind, outputs) for _ in samples]
    predictions.validator.update_metrics(shown, batch)
    return predictions.evaluator


def objects(kind: Kind, outputs: Arrays) -> dict[str, torch.Tensor]:
    """Predictions in the form of the library."""
    shown = {
        "bboxes": outputs["boxes"],
        "conf": outputs["scores"].max(1),
        "cls": outputs["scores"].argmax(1).astype(np.float32),
    }
    if kind is Kind.SEGMENT:
        shown["masks"] = masks()
    if kind is Kind.POSE:
        shown["keypoints"] = outputs["keypoints"]
    return {name: torch.from_numpy(value) for name, value in shown.items()}


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("kind", Kind)
def test_training_and_evaluation_report_the_same_to_the_last_digit(kind: Kind, classes: int, tmp_path: Path) -> None:
    task = kind.task_type
    dataset, outputs = hard_dataset(tmp_path, task, classes=classes), stored_outputs(task, classes=classes)
    if kind is Kind.SEMANTIC and classes > 1:  # the library's background is the last class, but beside a single one
        outputs = {"scores": np.roll(outputs["scores"], -1, axis=0)}
    names, background = labels_of(kind, [*dataset.class_names, "background"][: classes + (classes > 1)])
    description = {"class_names": names, "background": background} if kind is Kind.SEMANTIC else {}

    with record_updates() as in_training:
        training = validated(dataset, kind, outputs)
    with record_updates() as in_evaluation:
        evaluation = evaluate_stored(dataset, task, outputs, **description)

    assert len(in_training) == len(dataset[Split.VAL])
    assert without_overlaps(in_training) == without_overlaps(in_evaluation)
    assert training.values() == evaluation.values()
    assert training.evaluate() == evaluation.evaluate()


def without_overlaps(updates_of: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Truth alone. How much of it was found is the prediction's affair too."""
    assert all(len(one.get("overlap", BOXES)) == len(BOXES) for one in updates_of)
    return [{name: value for name, value in one.items() if name != "overlap"} for one in updates_of]
