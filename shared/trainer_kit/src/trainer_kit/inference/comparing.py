"""How far the outputs of an exported network lie from those of the original."""

from typing import Any

import numpy as np

from trainer_kit.inference.network import Arrays

TOLERANCE = 1e-3
"""Of an output's largest value: how far two implementations of 32-bit arithmetic may lie apart."""
MOST_REORDERED = 1000
"""Objects of an image that may come in another order: networks that choose their best ones have some hundred."""
TIED_SHARE = 0.01
"""Of such objects: how many may be others. Where some tie for the last place, rounding decides which one is chosen."""
PER_OBJECT = ("boxes", "scores", "coefficients", "keypoints")


def differences(ours: Arrays, theirs: Arrays) -> dict[str, float]:
    """Of each output, as a share of its largest value; where objects come in another order, of all that is theirs as
    one set, under `objects`. NaN if either side is NaN.
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
    """How far the loneliest row of either is from its nearest one in the other (Hausdorff), but for the tied ones."""
    tied = int(TIED_SHARE * len(one))
    nearest = [[float(np.abs(rows - row).max(-1).min()) for row in of] for of, rows in ((one, other), (other, one))]
    return float(np.max([np.sort(distances)[-1 - tied] for distances in nearest]))
