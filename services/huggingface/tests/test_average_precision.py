"""Average precision against values worked out by hand."""

import numpy as np
import pytest

from huggingface_service.average_precision import AveragePrecision, iou

BOX = [0.0, 0.0, 10.0, 10.0]
ELSEWHERE = [50.0, 50.0, 60.0, 60.0]


def measure(*images: tuple[list, list, list, list, list], num_classes: int = 1) -> np.ndarray:
    precision = AveragePrecision(num_classes)
    for boxes, scores, classes, true_boxes, true_classes in images:
        precision.add_image(
            np.array(boxes, dtype=float).reshape(-1, 4),
            np.array(scores, dtype=float),
            np.array(classes, dtype=int),
            np.array(true_boxes, dtype=float).reshape(-1, 4),
            np.array(true_classes, dtype=int),
        )
    return precision.compute()


def test_overlap_of_boxes() -> None:
    shifted = [5.0, 0.0, 15.0, 10.0]
    assert iou(np.array([BOX]), np.array([BOX, shifted, ELSEWHERE])) == pytest.approx(np.array([[1.0, 1 / 3, 0.0]]))


def test_a_perfect_detector_has_one() -> None:
    assert measure(([BOX, ELSEWHERE], [0.9, 0.8], [0, 0], [BOX, ELSEWHERE], [0, 0])) == pytest.approx(np.ones(10))


def test_nothing_found_is_zero() -> None:
    assert measure(([], [], [], [BOX], [0])) == pytest.approx(np.zeros(10))


def test_nothing_labelled_is_zero() -> None:
    assert measure(([BOX], [0.9], [0], [], [])) == pytest.approx(np.zeros(10))


def test_a_false_alarm_before_the_hit_halves_precision() -> None:
    assert measure(([ELSEWHERE, BOX], [0.9, 0.8], [0, 0], [BOX], [0]))[0] == pytest.approx(0.5)


def test_a_false_alarm_after_the_hit_costs_nothing() -> None:
    assert measure(([BOX, ELSEWHERE], [0.9, 0.8], [0, 0], [BOX], [0]))[0] == pytest.approx(1.0)


def test_a_second_box_on_the_same_object_is_a_false_alarm() -> None:
    found = ([BOX, BOX, ELSEWHERE], [0.9, 0.8, 0.7], [0, 0, 0], [BOX, ELSEWHERE], [0, 0])
    # recalls up to a half at precision 1 (51 of 101 points), the rest at 2/3
    assert measure(found)[0] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_half_of_the_objects_found_counts_the_recalls_up_to_a_half() -> None:
    assert measure(([BOX], [0.9], [0], [BOX, ELSEWHERE], [0, 0]))[0] == pytest.approx(51 / 101)


def test_stricter_thresholds_need_closer_boxes() -> None:
    close = [0.0, 0.0, 10.0, 8.0]  # overlap 0.8
    values = measure(([close], [0.9], [0], [BOX], [0]))
    assert values == pytest.approx(np.array([1.0] * 7 + [0.0] * 3))


def test_scores_are_ranked_over_all_images() -> None:
    first = ([ELSEWHERE], [0.95], [0], [BOX], [0])
    second = ([BOX], [0.9], [0], [BOX], [0])
    assert measure(first, second)[0] == pytest.approx(51 * 0.5 / 101)


def test_classes_count_alike_and_unlabelled_ones_not_at_all() -> None:
    found = ([BOX, ELSEWHERE, BOX], [0.9, 0.8, 0.7], [0, 2, 1], [BOX, BOX], [0, 1])
    assert measure(found, num_classes=3)[0] == pytest.approx(1.0)
    missed = ([BOX], [0.9], [0], [BOX, BOX], [0, 1])
    assert measure(missed, num_classes=3)[0] == pytest.approx(0.5)
