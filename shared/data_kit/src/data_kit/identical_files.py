"""Files with the same content."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

_END_BYTES = 4096


def first_identical(files: Iterable[Path]) -> dict[Path, Path]:
    """Return for each file the first one, in the order given, with the same bytes: itself if it has no copies.

    Cheap: of files that differ in size nothing is read, and of others the ends first.
    """
    groups: list[Sequence[Path]] = [list(dict.fromkeys(files))]
    for key in (_size, _ends, _content):
        groups = [part for group in groups for part in _partition(group, key)]
    return {file: group[0] for group in groups for file in group}


def _partition(group: Sequence[Path], key: Callable[[Path], Hashable]) -> Iterable[Sequence[Path]]:
    if len(group) == 1:
        return [group]
    parts: dict[Hashable, list[Path]] = defaultdict(list)
    for file in group:
        parts[key(file)].append(file)
    return parts.values()


def _size(file: Path) -> int:
    return file.stat().st_size


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(_END_BYTES)
        file.seek(max(0, path.stat().st_size - _END_BYTES), os.SEEK_SET)
        return hashlib.blake2b(start + file.read(_END_BYTES), digest_size=16).digest()


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
