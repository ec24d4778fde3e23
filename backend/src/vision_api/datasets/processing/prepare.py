"""From an uploaded archive to what is stored of it. Runs in a process of its own: it decodes what strangers made.

    python -m vision_api.datasets.processing.prepare ARCHIVE FOLDER LIMITS SPLITS

writes what came of it into FOLDER/prepared.json, and meanwhile lines of JSON that say how far it is. Imports neither
the web framework nor the database, so that it starts quickly.
"""

import errno
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from data_kit import (
    ArchiveLimits,
    Dataset,
    DatasetError,
    Finding,
    OnProgress,
    Split,
    SplitOptions,
    assign_splits,
    dataset_manifest,
    describe,
    extract_archive,
    manifest_digest,
    open_dataset,
    stored_files,
    write_archive,
    write_split_file,
)
from vision_api.datasets.processing.stored_samples import sample_pages
from vision_api.storage_layout import archive_key, manifest_key, sample_page_key

SAY_SECONDS = 1.0
FILES = "files"
STORED = "stored"
PREPARED = "prepared.json"

Tell = Callable[[str, int | None], None]
"""Hears of the stage of the work, and how much of it is done, in percent, as far as that is known."""


@dataclass(frozen=True)
class Facts:
    """What a good data set is, as its row has it."""

    format: str
    task_types: list[str]
    class_names: list[str]
    keypoint_names: list[str]
    skeleton: list[tuple[int, int]]
    splits: dict[str, Any]
    num_images: int
    is_val_split_off: bool
    digest: str
    size_bytes: int
    statistics: dict[str, Any]


@dataclass(frozen=True)
class Prepared:
    """What came of an upload. Without `facts` it cannot be trained on, and `findings` say why."""

    findings: list[Finding] = field(default_factory=list[Finding])
    facts: Facts | None = None


prepared_json: TypeAdapter[Prepared] = TypeAdapter(Prepared)
limits_json: TypeAdapter[ArchiveLimits] = TypeAdapter(ArchiveLimits)
splits_json: TypeAdapter[SplitOptions | None] = TypeAdapter(SplitOptions | None)

LOOKED, NAMED = 80, 90
"""Percent of `checking` after which all images are decoded, and all files named by their content; the rest packs."""

DISK_FULL = errno.ENOSPC
"""The exit code that says so."""


def prepare_archive(
    archive: Path, folder: Path, limits: ArchiveLimits, tell: Tell, splits: SplitOptions | None = None
) -> Prepared:
    """Unpacks `archive` into `folder/files`, unless it is a folder already, splits it if that is asked for, and goes on
    as `prepare_folder`. Raises OSError for a full disk.
    """
    source = archive
    if not archive.is_dir():
        source = folder / FILES
        tell("unpacking", 0)
        try:
            extract_archive(archive, source, limits, lambda done, total: tell("unpacking", 100 * done // max(total, 1)))
        except DatasetError as error:
            return Prepared(error.findings)
        if archive.parent == folder:  # fetched for us alone; a disk holds more data sets without it
            archive.unlink()
    tell("checking", 0)
    try:
        kept = store_splits(source, splits, tell) if splits is not None else []
    except DatasetError as error:
        return Prepared(error.findings)
    prepared = prepare_folder(source, folder, tell)
    return replace(prepared, findings=[*kept, *prepared.findings])


def store_splits(source: Path, options: SplitOptions, tell: Tell) -> list[Finding]:
    """Writes `splits.json` into the data set, and says what was not done. Raises DatasetError for impossible splits."""
    try:
        dataset = open_dataset(source, on_progress=_checking(tell, 0, 0))
    except DatasetError:
        return []  # what is wrong with it is told by whoever opens it next, and more completely
    own = dataset.own_splits
    try:
        write_split_file(dataset, assign_splits(own, options))
    except ValueError as error:
        message, fix = f"It cannot be split as asked: {error}.", "Choose other fractions, or add images."
        raise DatasetError([Finding(code="split_empty", file="", message=message, fix=fix)]) from error
    asked = {Split.VAL: options.val_fraction, Split.TEST: options.test_fraction}
    return [
        Finding(
            severity="warning", code="split_kept", file="", fix="Send `resplit=true` to split all images anew.",
            message=f"The data set brings `{split}`, so `{split}_fraction` was not used.",
        )
        for split, fraction in asked.items()
        if fraction is not None and split in own and not options.is_whole
    ]  # fmt: skip


def prepare_folder(source: Path, folder: Path, tell: Tell) -> Prepared:
    """Reads the data set in `source`, and lays out in `folder/stored` what goes into storage, under its keys."""
    try:
        dataset = open_dataset(source, deep=True, on_progress=_checking(tell, 0, LOOKED))
    except DatasetError as error:
        return Prepared(error.findings)
    manifest = dataset_manifest(dataset, _checking(tell, LOOKED, NAMED))
    digest = manifest_digest(manifest)
    archive = _new_file(folder, archive_key(digest))
    write_archive(dataset, archive, _checking(tell, NAMED, 100))
    _new_file(folder, manifest_key(digest)).write_text("\n".join(manifest), "utf-8")
    for split, page, content in sample_pages(dataset, stored_files(archive)):
        _new_file(folder, sample_page_key(digest, split, page)).write_bytes(content)
    return Prepared(list(dataset.findings), _facts(dataset, digest, manifest))


def _checking(tell: Tell, first: int, last: int) -> OnProgress:
    """Tells of a part of the stage, from `first` to `last` percent."""
    return lambda done, total: tell("checking", first + (last - first) * done // max(total, 1))


def _new_file(folder: Path, key: str) -> Path:
    path = folder / STORED / key
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _facts(dataset: Dataset, digest: str, manifest: list[str]) -> Facts:
    return Facts(
        format=dataset.format.value,
        task_types=sorted(task.value for task in dataset.task_types),
        class_names=list(dataset.class_names),
        keypoint_names=list(dataset.keypoint_names),
        skeleton=list(dataset.skeleton),
        splits={split.value: {"images": len(samples)} for split, samples in dataset.splits.items()},
        num_images=sum(map(len, dataset.splits.values())),
        is_val_split_off=dataset.is_val_split_off,
        digest=digest,
        size_bytes=sum(int(line.split("\t")[1]) for line in manifest),
        statistics=describe(dataset).model_dump(mode="json"),
    )


def main(arguments: list[str]) -> int:
    """See the module."""
    archive, folder, limits, splits = arguments
    options = limits_json.validate_json(limits), _say, splits_json.validate_json(splits)
    try:
        prepared = prepare_archive(Path(archive), Path(folder), *options)
        Path(folder, PREPARED).write_bytes(prepared_json.dump_json(prepared))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return DISK_FULL
        raise
    return 0


_sent_body: list[tuple[str, float]] = [("", 0.0)]


def _say(stage: str, percent: int | None) -> None:
    """What is new, and every second that the work gets on."""
    line, now = json.dumps([stage, percent]), time.monotonic()
    said, said_at = _sent_body[-1]
    if said != line or now - said_at >= SAY_SECONDS:
        _sent_body[:] = [(line, now)]
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
