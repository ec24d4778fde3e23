"""Sizes of the objects of one folder, by their fate: pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from data_kit import ObjectInfo
from vision_contracts import ArtifactKind


@dataclass
class Sizes:
    """Number of objects, and their bytes."""

    files: int = 0
    total_bytes: int = 0
    checkpoints_bytes: int = 0
    superseded_bytes: int = 0
    """Objects that are deleted as soon as no download can be reading them."""
    kinds: Counter[str] = field(default_factory=Counter[str])
    """Bytes of the objects that rows name, by kind of artifact."""
    unlisted_bytes: int = 0
    """Objects that no row names."""
    newest_at: datetime | None = None

    def add(self, found: ObjectInfo, kinds: Mapping[str, str], garbage: Collection[str]) -> None:
        """Add an object. `kinds` has the objects that rows name, `garbage` those that are to be deleted."""
        self.files += 1
        self.total_bytes += found.size_bytes
        self.newest_at = max(self.newest_at or found.modified_at, found.modified_at)
        if (kind := kinds.get(found.uri)) is not None:
            self.kinds[kind] += found.size_bytes
        if kind == ArtifactKind.CHECKPOINT:
            self.checkpoints_bytes += found.size_bytes
        elif found.uri in garbage:
            self.superseded_bytes += found.size_bytes
        elif kind is None:
            self.unlisted_bytes += found.size_bytes


def measure(objects: Iterable[ObjectInfo], kinds: Mapping[str, str], garbage: Collection[str]) -> Sizes:
    """Return the sizes of some objects."""
    sizes = Sizes()
    for found in objects:
        sizes.add(found, kinds, garbage)
    return sizes
