"""`splits.json` at the top of a data set: the split of each image, `{"images/1.jpg": "train", …}`.

It wins over what folders and lists say, so that every trainer on every machine sees the same splits.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from data_kit.dataset import Dataset, Sample, Split
from data_kit.formats.base import Source
from data_kit.splitting import SPLIT_NAMES

SPLIT_FILE = "splits.json"
_FIX = 'Write `{"path/of/an/image.jpg": "train", …}` with `train`, `val` and `test`.'


def write_split_file(dataset: Dataset, splits: Mapping[Split, list[Sample]]) -> Path:
    """Write `splits` to the top of the data set. Replaces an existing file."""
    content = {dataset.name_of(sample): split.value for split, samples in splits.items() for sample in samples}
    path = dataset.root / SPLIT_FILE
    path.unlink(missing_ok=True)  # never write through a link into another file
    path.write_text(json.dumps(content, ensure_ascii=False, indent=0, sort_keys=True), "utf-8")
    return path


def apply_split_file(source: Source, splits: dict[Split, list[Sample]]) -> dict[Split, list[Sample]]:
    """Return the same samples, each in the split that the file names; those that it does not name stay.

    An image that comes into a split twice is kept once, unless it is labelled differently.
    """
    assigned = _read(source) if SPLIT_FILE in source.tree else {}
    if not assigned:
        return splits
    moved: dict[Split, dict[object, Sample]] = {}
    for split, samples in splits.items():
        for sample in samples:
            name = source.tree.name(sample.image)
            moved.setdefault(assigned.get(name, split), {})[name, sample.labels] = sample
    for name in sorted(assigned.keys() - source.requested):
        source.findings.warning(
            "split_without_image", SPLIT_FILE, f"There is no labelled image `{name}`.", "Add it, or remove the line."
        )
    return {split: list(moved[split].values()) for split in Split if split in moved}


def _read(source: Source) -> dict[str, Split]:
    text = source.tree.read_list(SPLIT_FILE)
    try:
        content: Any = json.loads(text) if text is not None else {}
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        source.findings.error("splits_malformed", SPLIT_FILE, f"This is not JSON: {error}.", _FIX, line=line)
        return {}
    if not isinstance(content, dict):
        source.findings.error("splits_malformed", SPLIT_FILE, "This is no JSON object.", _FIX)
        return {}
    rows = cast("dict[str, Any]", content)
    splits = {name: SPLIT_NAMES.get(str(value).lower()) for name, value in rows.items()}
    for name, split in splits.items():
        if split is None:
            message = f"`{name}` is in `{rows[name]}`, which is no split."
            source.findings.error("splits_malformed", SPLIT_FILE, message, _FIX)
    return {name: split for name, split in splits.items() if split is not None}
