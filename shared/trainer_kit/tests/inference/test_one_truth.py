"""The validation of a training and the evaluation of a checkpoint use the same ground truth for every task."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_kit import Dataset, Sample, Split
from data_kit.geometry import polygon_instance
from trainer_kit.evaluation import (
    IGNORED,
    ClassificationEvaluator,
    Detections,
    Evaluator,
    MaskGrid,
    ObjectEvaluator,
    SegmentationEvaluator,
    as_one_class,
    label_names,
)
from trainer_kit.testing.stored_predictions import (
    BOXES,
    SCORES,
    SIDE,
    evaluate_stored,
    hard_dataset,
    masks,
    record_updates,
    stored_outputs,
)  # fmt: skip
from vision_contracts import TaskType


def trained(dataset: Dataset, task: TaskType) -> Evaluator:
    """Evaluate the stored predictions as services do within a training."""
    samples, outputs = dataset[Split.VAL], stored_outputs(task)
    if task is TaskType.IMAGE_CLASSIFICATION:
        classifier = ClassificationEvaluator(dataset.class_names)
        classifier.add(samples, np.repeat(outputs["probabilities"][None], len(samples), axis=0))
        return classifier
    if task is TaskType.SEMANTIC_SEGMENTATION:
        segmenter = SegmentationEvaluator(label_names(dataset.class_names))
        for sample in samples:
            segmenter.add(sample, outputs["scores"].argmax(0)[: sample.height])
        return segmenter
    objects = ObjectEvaluator(dataset.class_names, task)
    for sample in samples:
        objects.add(sample, found(task, sample))
    return objects


def found(task: TaskType, sample: Sample) -> Detections:
    """Detections in pixels of the image, which lies in the middle of the input."""
    above = (SIDE - sample.height) // 2
    boxes = np.array(BOXES) - [0, above, 0, above]
    limits = [sample.width, sample.height] * 2
    x1, y1, x2, y2 = boxes.T
    corners = np.stack([x2, y2, x2, y1, x1, y1, x1, y2], axis=1).reshape(-1, 4, 2)
    own: dict[str, Any] = {
        TaskType.INSTANCE_SEGMENTATION: {
            "masks": masks()[:, above : above + sample.height], "grid": MaskGrid(sample.width, sample.height),
        },
        TaskType.POSE_ESTIMATION: {"keypoints": boxes.reshape(-1, 2, 2)},
        TaskType.ORIENTED_OBJECT_DETECTION: {"corners": corners},
    }.get(task, {})  # fmt: skip
    return Detections(np.float32(SCORES), np.arange(len(BOXES)) % 2, boxes.clip(0, limits), **own)


@pytest.mark.parametrize("task", TaskType)
def test_training_and_evaluation_have_the_same_truth_and_the_same_report(task: TaskType, tmp_path: Path) -> None:
    dataset = hard_dataset(tmp_path, task)
    is_semantic = task is TaskType.SEMANTIC_SEGMENTATION
    description = {"class_names": label_names(dataset.class_names), "background": 0} if is_semantic else {}

    with record_updates() as in_training:
        training = trained(dataset, task)
    with record_updates() as in_evaluation:
        evaluation = evaluate_stored(dataset, task, stored_outputs(task), **description)

    assert len(in_training) == len(dataset[Split.VAL])
    assert in_training == in_evaluation
    assert training.values() == evaluation.values()
    assert training.evaluate() == evaluation.evaluate()
    assert 0 < evaluation.values()[evaluation.primary_metric] < 1, "neither nothing nor everything is correct"


def test_another_order_of_the_networks_classes_and_background_changes_nothing(tmp_path: Path) -> None:
    """Outputs with the background last, and with the classes in another order than the data set's."""
    task = TaskType.SEMANTIC_SEGMENTATION
    dataset = hard_dataset(tmp_path, task)
    nothing, dog, cat = stored_outputs(task)["scores"]
    outputs = {"scores": np.stack([cat, dog, nothing])}

    with record_updates() as in_training:
        training = trained(dataset, task)
    with record_updates() as in_evaluation:
        evaluation = evaluate_stored(dataset, task, outputs, class_names=["cat", "dog", "background"], background=2)

    assert in_training == in_evaluation
    assert training.evaluate() == evaluation.evaluate()


def test_a_square_of_four_is_sixteen_pixels_in_training_and_in_evaluation(tmp_path: Path) -> None:
    dataset = hard_dataset(tmp_path, TaskType.SEMANTIC_SEGMENTATION)
    scores = stored_outputs(TaskType.SEMANTIC_SEGMENTATION)
    names = label_names(dataset.class_names)
    with record_updates() as maps:
        trained(dataset, TaskType.SEMANTIC_SEGMENTATION)
        evaluate_stored(dataset, TaskType.SEMANTIC_SEGMENTATION, scores, class_names=names, background=0)

    counts = [np.bincount(np.ravel(one["labels"]), minlength=IGNORED + 1) for one in maps]
    for half in (counts[: len(maps) // 2], counts[len(maps) // 2 :]):
        square, parts, hole, leaving, crowd, unlabelled, turned = half
        assert (square[1], square.sum()) == (16, SIDE * SIDE)
        assert (parts[2], parts[1]) == (16 + 49, 36)
        assert (hole[2], hole[1]) == (144 - 36, 9)
        assert leaving[1] == 8 * 12, "the part in the image"
        assert (crowd[IGNORED], crowd[2]) == (14 * 14, 16)
        assert unlabelled[0] == SIDE * SIDE
        assert (turned[1], turned[2], turned.sum()) == (16, 64, 32 * 24)


def test_a_network_of_a_single_class_is_evaluated_on_merged_classes(tmp_path: Path) -> None:
    task = TaskType.OBJECT_DETECTION
    dataset = hard_dataset(tmp_path, task)
    outputs = stored_outputs(task, classes=1)

    with record_updates() as in_evaluation:
        evaluation = evaluate_stored(dataset, task, outputs, class_names=["item"], single_class=True)
    with record_updates() as in_training:
        training = evaluate_stored(as_one_class(dataset), task, outputs)

    assert in_training == in_evaluation
    assert training.evaluate() == evaluation.evaluate()
    assert [one.name for one in evaluation.evaluate().classes] == ["item"]


coordinates = st.floats(-8, SIDE + 8, width=16)
outlines = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=6)
objects = st.tuples(st.integers(0, 1), st.lists(outlines, min_size=1, max_size=3), st.booleans())


@given(drawn=st.lists(objects, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_outlines_become_the_same_label_map_in_training_and_in_evaluation(
    tmp_path: Path, drawn: list[tuple[int, list[list[tuple[float, float]]], bool]]
) -> None:
    task = TaskType.SEMANTIC_SEGMENTATION
    dataset = hard_dataset(tmp_path, task)
    instances = tuple(
        polygon_instance(class_id, [tuple(np.ravel(outline).tolist()) for outline in parts], is_crowd=is_crowd)
        for class_id, parts, is_crowd in drawn
    )
    turned = replace(dataset[Split.VAL][-1], instances=instances)
    dataset = replace(dataset, splits={Split.VAL: [turned]})

    with record_updates() as in_training:
        trained(dataset, task)
    with record_updates() as in_evaluation:
        names = label_names(dataset.class_names)
        evaluate_stored(dataset, task, stored_outputs(task), class_names=names, background=0)

    assert in_training == in_evaluation
