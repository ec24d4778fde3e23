"""Differences between two versions: files by their manifests, labels by the samples that are stored beside the archive.

An image is the same one if it has the same name, or, where a name is gone, the same content under another name.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from data_kit import ObjectStore
from vision_api.datasets.processing.stored_samples import SamplePage, StoredSample
from vision_api.datasets.schemas import ChangeRead, DiffRead
from vision_api.storage_layout import SAMPLES_PER_PAGE, manifest_key, sample_page_key

MAX_LISTED = 1000


@dataclass(frozen=True)
class ComparedVersion:
    """A ready version to compare."""

    digest: str
    class_names: list[str]
    images: Mapping[str, int]
    """Number of images of each split."""


class _File(NamedTuple):
    content: str
    """Size and SHA-256, in one text."""
    split: str


class _Label(NamedTuple):
    """Label of one image: equal for equal labels, and small since each image has one."""

    fingerprint: int
    text: str


def diff_versions(store: ObjectStore, before: ComparedVersion, after: ComparedVersion) -> DiffRead:
    """Compare two versions. Blocks: call it in a thread."""
    old, new = _files(store, before.digest), _files(store, after.digest)
    added, removed = new.keys() - old.keys(), old.keys() - new.keys()
    moved = dict(_moves({name: old[name] for name in removed}, {name: new[name] for name in added}))
    same = {name: name for name in old.keys() & new.keys()} | moved
    old_labels, new_labels = _labels(store, before), _labels(store, after)
    relabelled = [
        _change(was, now, old_labels[was].text, new_labels[now].text)
        for was, now in same.items()
        if was in old_labels and now in new_labels and old_labels[was] != new_labels[now]
    ]
    resplit = [
        _change(was, now, old[was].split, new[now].split)
        for was, now in same.items()
        if old[was].split != new[now].split
    ]
    changed = [name for name in old.keys() & new.keys() if old[name].content != new[name].content]
    lists = {"added": added - set(moved.values()), "removed": removed - moved.keys(), "changed": changed}
    changes = {"moved": [_change(*pair) for pair in moved.items()], "relabelled": relabelled, "split_changed": resplit}
    return DiffRead.model_validate(
        {f"{kind}_count": len(names) for kind, names in (lists | changes).items()}
        | {kind: sorted(names)[:MAX_LISTED] for kind, names in lists.items()}
        | {kind: sorted(some, key=lambda one: one.file)[:MAX_LISTED] for kind, some in changes.items()}
    )


def _change(was: str, now: str, before: str | None = None, after: str | None = None) -> ChangeRead:
    return ChangeRead(file=now, file_before=was, before=before, after=after)


def _files(store: ObjectStore, digest: str) -> dict[str, _File]:
    manifest = store.read_bytes(store.uri(manifest_key(digest))).decode()
    rows = (line.rsplit("\t", 3) for line in manifest.split("\n"))
    return {name: _File(f"{size} {sha256}", split) for name, size, sha256, split in rows}


def _moves(removed: Mapping[str, _File], added: Mapping[str, _File]) -> Iterator[tuple[str, str]]:
    """Yield pairs of names with the same content; where several fit, those with the same file name first."""
    unmatched: dict[str, list[str]] = defaultdict(list)
    for name in sorted(added, reverse=True):
        unmatched[added[name].content].append(name)
    left: list[str] = []
    for was in sorted(removed):
        found = unmatched[removed[was].content]
        now = next((name for name in found if _file_name(name) == _file_name(was)), None)
        if now is None:
            left.append(was)
        else:
            found.remove(now)
            yield was, now
    for was in left:
        found = unmatched[removed[was].content]
        if found and not removed[was].content.startswith("0 "):  # empty files are all alike
            yield was, found.pop()


def _file_name(name: str) -> str:
    return PurePosixPath(name).name


def _labels(store: ObjectStore, version: ComparedVersion) -> dict[str, _Label]:
    return {sample.name: _label(sample, version.class_names) for sample in _samples(store, version)}


def _samples(store: ObjectStore, version: ComparedVersion) -> Iterator[StoredSample]:
    for split, count in version.images.items():
        for page in range(math.ceil(count / SAMPLES_PER_PAGE)):
            yield from SamplePage.validate_json(
                store.read_bytes(store.uri(sample_page_key(version.digest, split, page)))
            )


def _label(sample: StoredSample, class_names: list[str]) -> _Label:
    """Build a label from class names, since their numbers may differ between versions; objects count in any order."""
    own = class_names[sample.class_id] if sample.class_id is not None else None
    objects = frozenset(
        Counter((class_names[i.class_id], i.box, i.polygons, i.keypoints) for i in sample.instances).items()
    )
    return _Label(hash((own, objects)), own or _count(class_names[i.class_id] for i in sample.instances))


def _count(names: Iterable[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(names).items())) or "no objects"
