"""Metrics of segmentation are equal to scikit-learn's, pixel by pixel."""

import numpy as np
import pytest
from sklearn import metrics as peer

from trainer_kit.evaluation import IGNORED, SegmentationEvaluator

NAMES = ["background", "cat", "dog", "bird"]


def test_every_number_is_scikit_learns() -> None:
    chance = np.random.default_rng(1)
    labels = chance.integers(3, size=(6, 20, 30))  # no bird is labelled
    predicted = np.where(chance.random(labels.shape) < 0.7, labels, chance.integers(3, size=labels.shape))
    labels[chance.random(labels.shape) < 0.1] = IGNORED
    evaluator = SegmentationEvaluator(NAMES)
    for start in range(0, 6, 2):
        evaluator.update(predicted[start : start + 2], labels[start : start + 2])

    found, counted = evaluator.evaluate(), labels != IGNORED
    overlaps = peer.jaccard_score(labels[counted], predicted[counted], average=None)
    assert evaluator.values() == {"val/miou": pytest.approx(overlaps.mean(), abs=1e-12)}
    assert [one.values["iou"] for one in found.classes[:3]] == pytest.approx(list(overlaps), abs=1e-12)
    assert found.classes[3].values["iou"] is None
    assert found.values["pixel_accuracy"] == pytest.approx(peer.accuracy_score(labels[counted], predicted[counted]))
    recall = peer.balanced_accuracy_score(labels[counted], predicted[counted])
    assert found.values["mean_accuracy"] == pytest.approx(recall, abs=1e-12)
    assert found.images == 6


def test_overlap_is_averaged_over_the_classes_that_occur() -> None:
    evaluator = SegmentationEvaluator(["background", "cat", "dog"])
    evaluator.update(np.array([[[0, 0], [1, 1]]]), np.array([[[0, 1], [1, IGNORED]]]))

    # background: 1 of 2 pixels; cat: 1 of 2; a dog is neither labelled nor predicted
    assert evaluator.values() == {"val/miou": pytest.approx(0.5)}


def test_nothing_labelled_is_zero() -> None:
    evaluator = SegmentationEvaluator(NAMES)
    evaluator.update(np.zeros((1, 2, 2), dtype=int), np.full((1, 2, 2), IGNORED))

    assert evaluator.values() == {"val/miou": 0.0}
    assert evaluator.evaluate().values["pixel_accuracy"] == 0.0
