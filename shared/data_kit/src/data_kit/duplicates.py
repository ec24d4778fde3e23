"""Duplicate images: across splits, within one, and with different labels."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_kit.dataset import Sample, Split
from data_kit.findings import FindingCollector
from data_kit.inspection import ImageInspection

MOST_BITS = 5
"""Bits of the 128 of a perceptual hash that may differ between near duplicates."""
_BANDS = 8
"""Two hashes that differ in fewer bits than there are bands agree in at least one band."""
_NEIGHBOURS = 64
"""Images of one band that each is compared with: more agree only if they show next to nothing."""


@dataclass(frozen=True, slots=True)
class InspectedSample:
    """A sample with the inspection of its image file."""

    name: str
    split: Split
    sample: Sample
    inspection: ImageInspection


def check_duplicates(samples: Sequence[InspectedSample], findings: FindingCollector) -> None:
    """Warn of files with the same content, and of near duplicates in different splits."""
    for group in _same_content(samples):
        _check_group(group, findings)
    for one, other in _near_duplicates(samples):
        findings.warning(
            "split_leakage_similar", one.name,
            f"It is in `{one.split}` and looks like `{other.name}` in `{other.split}`.",
            "If one is a copy of the other, remove it, or put both into one split.",
        )  # fmt: skip


def _same_content(samples: Iterable[InspectedSample]) -> Iterator[list[InspectedSample]]:
    groups: dict[bytes, list[InspectedSample]] = defaultdict(list)
    for item in sorted(samples, key=lambda item: item.name):
        groups[item.inspection.content].append(item)
    return (group for group in groups.values() if len(group) > 1)


def _check_group(group: Sequence[InspectedSample], findings: FindingCollector) -> None:
    first, *others = group
    for other in others:
        same = "the same file" if other.name == first.name else f"a copy of `{first.name}`"
        if other.sample.labels != first.sample.labels:
            findings.warning(
                "label_conflict", other.name, f"It is {same}, but is labelled differently.",
                "Remove the wrong one of the two, or label them alike.",
            )  # fmt: skip
        if other.split != first.split:
            findings.warning(
                "split_leakage", other.name, f"It is in `{other.split}`, and {same} in `{first.split}`: "
                "what a model is measured by, it must not have learned from.",
                "Remove one of the two, or put both into one split.",
            )  # fmt: skip
        elif other.sample.labels == first.sample.labels:
            findings.warning("image_repeated", other.name, f"It is {same}.", "Remove one of the two.")


def _near_duplicates(samples: Sequence[InspectedSample]) -> Iterator[tuple[InspectedSample, InspectedSample]]:
    """Yield each image outside `train` with a near duplicate of another split, if there is one."""
    hashed = [item for item in samples if item.inspection.perceptual_hash]
    bits = np.frombuffer(b"".join(item.inspection.perceptual_hash for item in hashed), np.uint16).reshape(-1, _BANDS)
    order = list(Split)
    splits = np.array([order.index(item.split) for item in hashed], np.int8)
    partners: list[int] = _partners(bits, splits).tolist()
    for one, other in enumerate(partners):
        if other >= 0 and hashed[one].inspection.content != hashed[other].inspection.content:
            yield hashed[one], hashed[other]


def _partners(bits: NDArray[np.uint16], splits: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return for each image the index of a near duplicate in an earlier split, or -1."""
    partners = np.full(len(bits), -1)
    for band in range(_BANDS):
        order = np.lexsort((*bits.T, bits[:, band]))
        for distance in range(1, min(_NEIGHBOURS, len(order))):
            one, other = order[:-distance], order[distance:]
            alike = bits[one, band] == bits[other, band]
            if not alike.any():
                break
            alike &= splits[one] != splits[other]
            one, other = one[alike], other[alike]
            close = np.bitwise_count(bits[one] ^ bits[other]).sum(axis=1) <= MOST_BITS
            one, other = one[close], other[close]
            is_later = splits[one] > splits[other]
            partners[np.where(is_later, one, other)] = np.where(is_later, other, one)
    return partners
