"""Splits that a data set does not bring itself."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from data_kit.dataset import Sample, Split

VAL_SHARE = 0.2

SPLIT_NAMES = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VAL,
    "valid": Split.VAL,
    "validation": Split.VAL,
    "test": Split.TEST,
    "testing": Split.TEST,
}
"""What folders, keys and list files are called, in lower case."""


def split_off_val(samples: Sequence[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    """`(train, val)`: a fifth for validation, of every class alike, the same for the same seed.

    An image with several classes counts as its rarest one. Both parts are non-empty for two samples or more.
    """
    ordered = sorted(samples, key=lambda sample: sample.image)
    strata: dict[int | None, list[Sample]] = defaultdict(list)
    frequency = Counter(class_id for sample in ordered for class_id in _classes(sample))
    for sample in ordered:
        strata[min(_classes(sample), key=lambda c: (frequency[c], c), default=None)].append(sample)
    chosen: set[Path] = set()
    for class_id, share in _shares({key: len(group) for key, group in strata.items()}).items():
        shuffled = strata[class_id].copy()
        random.Random(f"{seed}/{class_id}").shuffle(shuffled)  # noqa: S311 - not for secrets
        chosen.update(sample.image for sample in shuffled[:share])
    return [s for s in ordered if s.image not in chosen], [s for s in ordered if s.image in chosen]


def _classes(sample: Sample) -> set[int]:
    own = {sample.class_id} if sample.class_id is not None else set[int]()
    return own | {instance.class_id for instance in sample.instances}


def _shares(sizes: dict[int | None, int]) -> dict[int | None, int]:
    """How many of each stratum: rounded down, and what is missing given to the largest remainders."""
    shares = {key: int(size * VAL_SHARE) for key, size in sizes.items()}
    missing = max(1, round(sum(sizes.values()) * VAL_SHARE)) - sum(shares.values())
    by_remainder = sorted(sizes, key=lambda key: (shares[key] - sizes[key] * VAL_SHARE, -sizes[key], str(key)))
    for key in [key for key in by_remainder if shares[key] < sizes[key] - 1][:missing]:
        shares[key] += 1
    if not any(shares.values()) and len(sizes) > 1:
        shares[by_remainder[-1]] = 1
    return shares
