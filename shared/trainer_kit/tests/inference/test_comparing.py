"""Differences between the outputs of an exported network and the original's."""

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
    """Reverse the order of the objects, and replace the first `count` of the second image by others."""
    changed = {name: value[:, ::-1].copy() for name, value in outputs.items()}
    changed["boxes"][1, :count] += 200
    return changed


def test_the_difference_of_each_output_is_relative_to_its_largest_value() -> None:
    ours = detections()
    theirs = ours | {"boxes": ours["boxes"] + np.float32(0.064)}
    found = differences(ours, theirs)
    assert found["scores"] == 0
    assert found["boxes"] == pytest.approx(0.0001, rel=0.05)


def test_the_same_objects_in_another_order_are_the_same() -> None:
    assert differences(detections(), with_others(detections(), 0)) == {"objects": 0}


def test_one_percent_of_the_objects_may_differ() -> None:
    assert largest(detections(), with_others(detections(), 3)) == 0
    assert largest(detections(), with_others(detections(), 4)) > TOLERANCE


def test_of_fewer_than_a_hundred_objects_none_may_differ() -> None:
    assert largest(detections(99), with_others(detections(99), 1)) > TOLERANCE


def test_outputs_that_are_not_of_objects_are_compared_element_by_element() -> None:
    ours = detections() | {"prototypes": np.ones((2, 8, 4, 4), np.float32)}
    theirs = with_others(detections(), 0) | {"prototypes": np.full((2, 8, 4, 4), 2, np.float32)}
    assert differences(ours, theirs) == {"prototypes": 1, "objects": 0}


@pytest.mark.parametrize("output", ["boxes", "scores"])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_nan_is_a_difference(output: str, is_reversed: bool) -> None:
    broken = detections()
    broken[output][0, 0, 0] = np.nan
    theirs = with_others(broken, 0) if is_reversed else broken
    for one, other in ((detections(), theirs), (theirs, detections()), (broken, theirs)):
        assert np.isnan(largest(one, other))
