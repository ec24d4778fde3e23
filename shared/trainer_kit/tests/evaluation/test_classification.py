"""Metrics of classification are equal to scikit-learn's, on random predictions."""

import numpy as np
import pytest
from sklearn import metrics as peer

from trainer_kit.evaluation import ClassificationEvaluator, classification
from vision_contracts import SplitEvaluation

CLASSES = [f"c{label}" for label in range(8)]


def predictions(count: int = 500, classes: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    labels = chance.integers(classes - 1, size=count)  # the last class has no images
    logits = chance.normal(size=(count, classes)) + 1.5 * np.eye(classes)[labels]
    scores = np.exp(logits)
    return scores / scores.sum(1, keepdims=True), labels


def evaluate(scores: np.ndarray, labels: np.ndarray, batch: int = 64) -> SplitEvaluation:
    evaluator = ClassificationEvaluator(CLASSES[: scores.shape[1]])
    for start in range(0, len(labels), batch):
        evaluator.update(scores[start : start + batch], labels[start : start + batch])
    assert evaluator.values() == {"val/accuracy": evaluator.evaluate().values["accuracy"]}
    return evaluator.evaluate()


def test_every_number_is_scikit_learns() -> None:
    scores, labels = predictions()
    found, predicted = evaluate(scores, labels), scores.argmax(1)

    assert found.values["accuracy"] == pytest.approx(peer.accuracy_score(labels, predicted), abs=1e-12)
    top5 = peer.top_k_accuracy_score(labels, scores, k=5, labels=np.arange(8))
    assert found.values["top5_accuracy"] == pytest.approx(top5, abs=1e-12)
    for average in ("macro", "weighted"):
        numbers = peer.precision_recall_fscore_support(labels, predicted, average=average, zero_division=0)
        ours = [found.values[f"{name}_{average}"] for name in ("precision", "recall", "f1")]
        assert ours == pytest.approx(numbers[:3], abs=1e-12)
    by_class = peer.precision_recall_fscore_support(labels, predicted, labels=np.arange(8), zero_division=0)
    for row, name in enumerate(("precision", "recall", "f1")):
        assert [one.values[name] for one in found.classes] == pytest.approx(list(by_class[row]), abs=1e-12)
    assert [one.support for one in found.classes] == by_class[3].tolist()
    assert found.confusion.counts == peer.confusion_matrix(labels, predicted, labels=np.arange(8)).tolist()


@pytest.mark.parametrize("digits", [None, 1], ids=["distinct-scores", "equal-scores"])
def test_the_area_under_the_roc_is_scikit_learns(digits: int | None) -> None:
    scores, labels = predictions()
    scores = scores if digits is None else scores.round(digits)
    found = evaluate(scores, labels)

    expected = [peer.roc_auc_score(labels == label, scores[:, label]) for label in range(7)]
    assert [one.values["roc_auc"] for one in found.classes[:7]] == pytest.approx(expected, abs=1e-12)
    assert found.classes[7].values["roc_auc"] is None
    assert found.values["roc_auc"] == pytest.approx(np.mean(expected), abs=1e-12)


def test_the_calibration_error_is_that_of_its_definition() -> None:
    scores, labels = predictions()
    found = evaluate(scores, labels)
    confidence, correct = scores.max(1), scores.argmax(1) == labels
    error = 0.0
    for low in range(15):
        in_bin = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        error += abs(correct[in_bin].sum() - confidence[in_bin].sum()) / len(labels)

    assert found.values["expected_calibration_error"] == pytest.approx(error, abs=1e-12)
    assert sum(found.curves[0].counts or []) == len(labels)


def test_the_size_of_batches_changes_nothing() -> None:
    scores, labels = predictions()
    assert evaluate(scores, labels, batch=1) == evaluate(scores, labels, batch=500)


def test_two_classes_have_no_top_five_and_nan_counts_as_a_wrong_prediction() -> None:
    scores = np.array([[0.2, 0.8], [np.nan, np.nan], [0.9, 0.1]])
    found = evaluate(scores, np.array([1, 1, 0]))

    assert found.values["top5_accuracy"] is None
    assert found.values["accuracy"] == pytest.approx(2 / 3)


def test_a_split_too_large_to_keep_has_no_area_under_the_roc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classification, "MOST_SCORES", 1000)
    scores, labels = predictions()
    found = evaluate(scores, labels)

    assert found.values["roc_auc"] is None
    assert found.values["accuracy"] is not None
