from collections.abc import Sequence
from itertools import pairwise
from math import dist
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_kit.dataset import Polygon
from data_kit.geometry import corners
from data_kit.writers import yolo
from data_kit.writers.yolo import join_polygons


def squares(places: Sequence[tuple[int, int]], size: int = 1) -> list[Polygon]:
    return [(x, y, x + size, y, x + size, y + size, x, y + size) for x, y in places]


def length(polygon: Polygon) -> float:
    points = list(corners(polygon))
    return sum(dist(one, other) for one, other in pairwise([*points, points[0]]))


@pytest.mark.parametrize("most", [1, 1_000_000])
@given(places=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=6))
def test_parts_are_joined_by_the_shortest_bridges(most: int, places: list[tuple[int, int]]) -> None:
    parts = squares(places)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yolo, "_MOST_DISTANCES", most)
        joined = join_polygons(parts)

    joined_before = [point for part in parts[:1] for point in corners(part)]
    bridges = 0.0
    for part in parts[1:]:
        bridges += min(dist(one, other) for one in joined_before for other in corners(part))
        joined_before += corners(part)
    assert set(corners(joined)) == set(joined_before)
    assert length(joined) == pytest.approx(4 * len(parts) + 2 * bridges)


def test_an_outline_of_hundreds_of_parts_is_joined_at_once() -> None:
    parts = squares([(10 * x, 10 * y) for x in range(20) for y in range(20)])
    parts = [tuple(value + shift / 1000 for shift in range(10) for value in part) for part in parts]
    start = process_time()

    joined = join_polygons(parts)

    assert len(joined) // 2 == sum(len(part) // 2 for part in parts) + 2 * (len(parts) - 1)
    assert process_time() - start < 3
