"""The same picture more than once: in two splits, in one, and with different labels."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_kit.dataset import Sample, Split
from data_kit.inspection import Look
from data_kit.findings import Report

MOST_BITS = 5
"""Of the 128 bits of a picture's shape so many may differ in a copy."""
_BANDS = 8
"""Two shapes that differ in fewer bits than there are bands agree in at least one of them."""
_NEIGHBOURS = 64
"""How many pictures of one band are compared with each: more agree only where pictures show next to nothing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A sample with what is known of its file."""

    name: str
    split: Split
    sample: Sample
    look: Look


def check_repeats(seen: Sequence[Seen], report: Report) -> None:
    """Warns of files with the same content, and of pictures that are nearly the same in different splits."""
    for group in _same_content(seen):
        _check_group(group, report)
    for one, other in _nearly_same(seen):
        report.warning(
            "split_leakage_similar", one.name,
            f"It is in `{one.split}` and looks like `{other.name}` in `{other.split}`.",
            "If one is a copy of the other, remove it, or put both into one split.",
        )  # fmt: skip


def _same_content(seen: Iterable[Seen]) -> Iterator[list[Seen]]:
    groups: dict[bytes, list[Seen]] = defaultdict(list)
    for item in sorted(seen, key=lambda item: item.name):
        groups[item.look.content].append(item)
    return (group for group in groups.values() if len(group) > 1)


def _check_group(group: Sequence[Seen], report: Report) -> None:
    first, *others = group
    for other in others:
        same = "the same file" if other.name == first.name else f"a copy of `{first.name}`"
        if other.sample.labels != first.sample.labels:
            report.warning(
                "label_conflict", other.name, f"It is {same}, but is labelled differently.",
                "Remove the wrong one of the two, or label them alike.",
            )  # fmt: skip
        if other.split != first.split:
            report.warning(
                "split_leakage", other.name, f"It is in `{other.split}`, and {same} in `{first.split}`: "
                "what a model is measured by, it must not have learned from.",
                "Remove one of the two, or put both into one split.",
            )  # fmt: skip
        elif other.sample.labels == first.sample.labels:
            report.warning("image_repeated", other.name, f"It is {same}.", "Remove one of the two.")


def _nearly_same(seen: Sequence[Seen]) -> Iterator[tuple[Seen, Seen]]:
    """Each picture outside `train` with one of another split, if there is one."""
    shown = [item for item in seen if item.look.shape]
    bits = np.frombuffer(b"".join(item.look.shape for item in shown), np.uint16).reshape(-1, _BANDS)
    order = list(Split)
    splits = np.array([order.index(item.split) for item in shown], np.int8)
    partners: list[int] = _partners(bits, splits).tolist()
    for one, other in enumerate(partners):
        if other >= 0 and shown[one].look.content != shown[other].look.content:
            yield shown[one], shown[other]


def _partners(bits: NDArray[np.uint16], splits: NDArray[np.int8]) -> NDArray[np.int64]:
    """For each picture one that is nearly the same in an earlier split, or -1."""
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


def check_kinds(looks: Mapping[str, Look], kinds: Mapping[str, str], report: Report) -> None:
    """Tells once of each unusual way in which images are stored."""
    for kind, what in kinds.items():
        names = [name for name, look in looks.items() if look.kind == kind]
        if not names:
            continue
        more = f" and {len(names) - 1} more are" if len(names) > 1 else " is"
        report.warning(
            f"image_{kind}", names[0], f"`{names[0]}`{more} {what}.",
            "Nothing needs to be done, if that is what you want.",
        )  # fmt: skip
