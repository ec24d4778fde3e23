from pathlib import Path

from data_kit import Instance, Sample
from trainer_kit.evaluation import IGNORED, label_map


def test_small_objects_lie_on_large_ones_and_crowds_are_ignored() -> None:
    small = Instance(0, (4, 4, 6, 6), polygons=((4, 4, 6, 4, 6, 6, 4, 6),))
    large = Instance(1, (2, 2, 9, 9), polygons=((2, 2, 9, 2, 9, 9, 2, 9),))
    crowd = Instance(0, (0, 0, 1, 1), polygons=((0, 0, 1, 0, 1, 1, 0, 1),), is_crowd=True)

    mask = label_map(Sample(Path("x.png"), width=12, height=10, instances=(small, large, crowd)))

    assert mask.shape == (10, 12)
    assert (mask[0, 0], mask[3, 3], mask[5, 5], mask[9, 11]) == (IGNORED, 2, 1, 0)
