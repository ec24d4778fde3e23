"""What changed between two versions, by their manifests."""

from data_kit import ObjectStore
from vision_api.datasets.layout import manifest_key
from vision_api.datasets.schemas import DiffRead

MOST_NAMES = 1000


def diff_versions(store: ObjectStore, before: str, after: str) -> DiffRead:
    """From one digest to another. Blocks: call it in a thread."""
    old, new = _files(store, before), _files(store, after)
    added = sorted(new.keys() - old.keys())
    removed = sorted(old.keys() - new.keys())
    changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    return DiffRead(
        added_count=len(added),
        removed_count=len(removed),
        changed_count=len(changed),
        added=added[:MOST_NAMES],
        removed=removed[:MOST_NAMES],
        changed=changed[:MOST_NAMES],
    )


def _files(store: ObjectStore, digest: str) -> dict[str, str]:
    """Name → the rest of its line."""
    manifest = store.read_bytes(store.uri(manifest_key(digest))).decode()
    lines = (line.split("\t", 1) for line in manifest.split("\n"))
    return {name: rest for name, rest in lines}  # noqa: C416 - dict() does not know that there are two
