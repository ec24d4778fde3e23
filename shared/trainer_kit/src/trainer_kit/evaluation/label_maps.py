"""A label for each pixel, from the outlines of the labelled objects."""

import numpy as np
from numpy.typing import NDArray

from data_kit import Instance, Sample
from data_kit.masks import fill_polygons

BACKGROUND = 0
IGNORED = 255
"""Of pixels that are neither trained on nor measured: those of crowds."""


def label_map(sample: Sample) -> NDArray[np.uint8]:
    """(height, width): one more than the class, small objects on top of large ones, and elsewhere the background."""
    labels = np.full((sample.height, sample.width), BACKGROUND, dtype=np.uint8)
    for instance in sorted(sample.instances, key=_box_area, reverse=True):
        mask = fill_polygons(instance.polygons, sample.width, sample.height)
        labels[mask] = IGNORED if instance.is_crowd else instance.class_id + 1
    return labels


def _box_area(instance: Instance) -> float:
    x1, y1, x2, y2 = instance.box
    return (x2 - x1) * (y2 - y1)
