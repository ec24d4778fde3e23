"""Differences between the outputs of an exported network and those of the original."""

from typing import Any

import numpy as np

from trainer_kit.inference.network import Arrays

TOLERANCE = 1e-3
"""Largest allowed difference, as a share of an output's largest value, between two implementations of 32-bit floats."""
MOST_REORDERED = 1000
"""Limit of the objects that may come in another order: networks that select their best objects give some hundred."""
TIED_SHARE = 0.01
"""Share of such objects that may differ: rounding decides which of those that tie for the last place is selected."""
PER_OBJECT = ("boxes", "scores", "coefficients", "keypoints")


def differences(ours: Arrays, theirs: Arrays) -> dict[str, float]:
    """Return the largest difference of each output, as a share of its largest value; NaN if either side is NaN.

    If the objects come in another order, the outputs of objects are compared as sets, under the name `objects`.
    """
    scales = {name: max(1.0, float(np.abs(value).max())) for name, value in ours.items()}
    found = {name: float(np.abs(value - theirs[name]).max()) / scales[name] for name, value in ours.items()}
    objects = ours["boxes"].shape[1] if "boxes" in ours else MOST_REORDERED + 1
    if np.max([*found.values()]) <= TOLERANCE or objects > MOST_REORDERED:
        return found
    names = [name for name in PER_OBJECT if name in ours]
    sets = [np.concatenate([_rows(of[name] / scales[name]) for name in names], -1) for of in (ours, theirs)]
    others = {name: difference for name, difference in found.items() if name not in names}
    return others | {"objects": float(np.max([_set_distance(one, other) for one, other in zip(*sets, strict=True)]))}


def _rows(values: Any) -> Any:
    return values.reshape(*values.shape[:2], -1)


def _set_distance(one: Any, other: Any) -> float:
    """Hausdorff distance of two sets of rows: the largest distance from a row to its nearest one in the other set,
    without the share of rows that may differ.
    """
    tied = int(TIED_SHARE * len(one))
    nearest = [[float(np.abs(rows - row).max(-1).min()) for row in of] for of, rows in ((one, other), (other, one))]
    return float(np.max([np.sort(distances)[-1 - tied] for distances in nearest]))
