"""Splitting of data sets by fraction and seed."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from data_kit.dataset import Sample, Split
from data_kit.identical_files import first_identical

Item = TypeVar("Item")

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
"""Names of folders, keys and list files, in lower case."""


@dataclass(frozen=True)
class SplitOptions:
    """Options of a permanent split. None stands for the default."""

    val_fraction: float | None = None
    test_fraction: float | None = None
    """Fractions are of all images; a split that the data set brings itself is kept, unless `is_whole`."""
    seed: int | None = None
    is_whole: bool = False
    """Split all images anew, even if the data set has splits of its own."""


def assign_splits(splits: Mapping[Split, Sequence[Sample]], options: SplitOptions) -> dict[Split, list[Sample]]:
    """Split by fraction and seed, stratified by class. `splits` are those that the data set brings itself.

    `val` is made unless it is there; `test` is made if a fraction for it is given. Raises ValueError if a requested
    split, or `train`, would be empty.
    """
    if options.is_whole:
        splits = {Split.TRAIN: [sample for samples in splits.values() for sample in samples]}
    result = {split: list(samples) for split, samples in splits.items()}
    seed = options.seed or 0
    for split, fraction in ((Split.VAL, options.val_fraction), (Split.TEST, options.test_fraction or 0.0)):
        if split in splits or (split is Split.TEST and not fraction):
            continue
        share = (VAL_SHARE if fraction is None else fraction) * len(splits[Split.TRAIN]) / len(result[Split.TRAIN])
        key = seed if split is Split.VAL else f"{seed}/test"
        result[Split.TRAIN], result[split] = split_off(result[Split.TRAIN], key, share)
        if not result[split] or not result[Split.TRAIN]:
            raise ValueError(f"`{split if not result[split] else Split.TRAIN}` would have no images")
    return result


def split_off(
    samples: Sequence[Sample], seed: int | str, share: float = VAL_SHARE
) -> tuple[list[Sample], list[Sample]]:
    """Return `(rest, part)`: a share, a fifth by default, of every class alike, the same for the same seed.

    An image with several classes counts as its rarest one. Exact copies stay together, so that no training image
    is validated on; a class of nothing but copies is split nevertheless. Both are non-empty for two samples or more,
    if the share is more than nothing.
    """
    ordered = sorted(samples, key=lambda sample: sample.image)
    strata: dict[int | None, list[Sample]] = defaultdict(list)
    frequency = Counter(class_id for sample in ordered for class_id in sample.class_ids)
    for sample in ordered:
        strata[min(sample.class_ids, key=lambda c: (frequency[c], c), default=None)].append(sample)
    groups = _groups(strata.values())
    chosen: set[Path] = set()
    for class_id, count in _counts({key: len(group) for key, group in strata.items()}, share).items():
        some = _choose(strata[class_id], groups, count, f"{seed}/{class_id}")
        chosen.update(sample.image for sample in some)
    return [s for s in ordered if s.image not in chosen], [s for s in ordered if s.image in chosen]


def _groups(strata: Iterable[Sequence[Sample]]) -> dict[Path, Path | None]:
    """Return for each image the first of its copies; None if these are of several strata: their labels conflict."""
    strata = list(strata)
    first = first_identical(sample.image for stratum in strata for sample in stratum)
    homes: dict[Path, set[int]] = defaultdict(set)
    for number, stratum in enumerate(strata):
        for sample in stratum:
            homes[first[sample.image]].add(number)
    return {image: one if len(homes[one]) == 1 else None for image, one in first.items()}


def _choose(stratum: Sequence[Sample], groups: Mapping[Path, Path | None], count: int, seed: str) -> Sequence[Sample]:
    """Choose about `count` samples at random, in whole groups; images with conflicting labels only if there are no
    others.
    """
    by_group: dict[Path, list[Sample]] = defaultdict(list)
    for sample in stratum:
        group = groups[sample.image]
        if group is not None:
            by_group[group].append(sample)
    shuffled = _shuffled(list(by_group.values()), seed)
    chosen: list[Sample] = []
    for group in shuffled:
        if len(chosen) + len(group) <= count:
            chosen += group
    if chosen or not count:
        return chosen
    smallest = min(shuffled, key=len, default=stratum)
    return smallest if len(smallest) < len(stratum) else _shuffled(list(stratum), seed)[:count]


def _shuffled(items: list[Item], seed: str) -> list[Item]:
    random.Random(seed).shuffle(items)  # noqa: S311 - not for secrets
    return items


def _counts(sizes: dict[int | None, int], share: float) -> dict[int | None, int]:
    """Return the number for each stratum: rounded down, and the missing ones given to the largest remainders."""
    if not share:
        return dict.fromkeys(sizes, 0)
    counts = {key: int(size * share) for key, size in sizes.items()}
    missing = max(1, round(sum(sizes.values()) * share)) - sum(counts.values())
    by_remainder = sorted(sizes, key=lambda key: (counts[key] - sizes[key] * share, -sizes[key], str(key)))
    for key in [key for key in by_remainder if counts[key] < sizes[key] - 1][:missing]:
        counts[key] += 1
    if not any(counts.values()) and len(sizes) > 1:
        counts[by_remainder[-1]] = 1
    return counts
