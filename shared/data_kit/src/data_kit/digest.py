"""The name of a data set's content, the same however it was packed."""

import hashlib
from pathlib import Path

from data_kit.dataset import Dataset, Split
from data_kit.report import Report
from data_kit.tree import Tree


def dataset_digest(dataset: Dataset) -> str:
    """SHA-256, in hexadecimal, of the sorted lines `path<TAB>size<TAB>sha256<TAB>split`, joined by line feeds.

    There is a line for every file below the root: the path in NFC with `/`, and as split what the files themselves
    say of an image, else nothing. A `val` that was split off by seed is still `train`.
    """
    tree = Tree(dataset.root, Report())
    splits = {
        tree.relative(sample.image): Split.TRAIN if dataset.is_val_split_off and split is Split.VAL else split
        for split, samples in dataset.splits.items()
        for sample in samples
    }
    lines = sorted(_line(name, tree.path(name), splits.get(name)) for name in tree.names)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _line(name: str, path: Path, split: Split | None) -> str:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{name}\t{path.stat().st_size}\t{sha256}\t{split or ''}"
