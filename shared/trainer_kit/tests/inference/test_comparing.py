"""Outputs of an exported network beside the original's: what is the same, and what is not."""

from typing import Any

import numpy as np
import pytest

from trainer_kit.inference.comparing import TOLERANCE, differences


def detections(count: int = 300) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "boxes": rng.uniform(0, 640, (2, count, 4)).astype(np.float32),
        "scores": rng.uniform(0, 1, (2, count, 3)).astype(np.float32),
    }


def largest(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    return float(np.max([*differences(ours, theirs).values()]))


def with_others(outputs: dict[str, Any], count: int) -> dict[str, Any]:
    """In reverse order, and the first objects of the second image are none of the original's."""
    turned = {name: value[:, ::-1].copy() for name, value in outputs.items()}
    turned["boxes"][1, :count] += 200
    return turned


def test_each_output_is_measured_by_its_largest_value() -> None:
    ours = detections()
    theirs = ours | {"boxes": ours["boxes"] + np.float32(0.064)}
    found = differences(ours, theirs)
    assert found["scores"] == 0
    assert found["boxes"] == pytest.approx(0.0001, rel=0.05)


def test_the_same_objects_in_another_order_are_the_same() -> None:
    assert differences(detections(), with_others(detections(), 0)) == {"objects": 0}


def test_a_few_objects_that_tie_for_the_last_place_may_be_others() -> None:
    assert largest(detections(), with_others(detections(), 3)) == 0
    assert largest(detections(), with_others(detections(), 4)) > TOLERANCE


def test_of_few_objects_none_may_be_another() -> None:
    assert largest(detections(99), with_others(detections(99), 1)) > TOLERANCE


def test_what_is_no_object_is_compared_in_its_place() -> None:
    ours = detections() | {"prototypes": np.ones((2, 8, 4, 4), np.float32)}
    theirs = with_others(detections(), 0) | {"prototypes": np.full((2, 8, 4, 4), 2, np.float32)}
    assert differences(ours, theirs) == {"prototypes": 1, "objects": 0}


@pytest.mark.parametrize("output", ["boxes", "scores"])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_what_is_no_number_is_a_difference(output: str, is_reversed: bool) -> None:
    broken = detections()
    broken[output][0, 0, 0] = np.nan
    theirs = with_others(broken, 0) if is_reversed else broken
    for one, other in ((detections(), theirs), (theirs, detections()), (broken, theirs)):
        assert np.isnan(largest(one, other))
