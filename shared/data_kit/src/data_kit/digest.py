"""The digest of a data set's content, the same however it was packed."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from data_kit.dataset import Dataset, Split
from data_kit.findings import FindingCollector
from data_kit.progress import OnProgress, counted
from data_kit.tree import Tree


def dataset_manifest(dataset: Dataset, on_progress: OnProgress | None = None) -> list[str]:
    """Return a line `path<TAB>size<TAB>sha256<TAB>split` for every file below the root, sorted.

    The path is in NFC with `/`. The split is that of the files themselves, and empty for a file that is no sample; a
    `val` that was split off by seed is still `train`.
    """
    tree = Tree(dataset.root, FindingCollector())
    splits = {dataset.name_of(sample): split for split, samples in dataset.own_splits.items() for sample in samples}
    return sorted(_line(name, tree.path(name), splits.get(name)) for name in counted(tree.names, on_progress))


def manifest_digest(manifest: Sequence[str]) -> str:
    """Return the SHA-256, in hexadecimal, of the manifest's lines joined by line feeds."""
    return hashlib.sha256("\n".join(manifest).encode()).hexdigest()


def dataset_digest(dataset: Dataset) -> str:
    """Return the SHA-256 of the data set's manifest: it identifies this content."""
    return manifest_digest(dataset_manifest(dataset))


def _line(name: str, path: Path, split: Split | None) -> str:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{name}\t{path.stat().st_size}\t{sha256}\t{split or ''}"
