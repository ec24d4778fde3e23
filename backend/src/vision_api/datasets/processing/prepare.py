"""Preparation of an uploaded archive for storage. Runs in a process of its own, since it decodes untrusted files.

    python -m vision_api.datasets.processing.prepare ARCHIVE FOLDER LIMITS SPLITS

writes its result into FOLDER/prepared.json, and its progress to stdout as lines of JSON. Imports neither the web
framework nor the database, so that it starts quickly.
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
from vision_api.background.confinement import confine
from vision_api.datasets.processing.stored_samples import sample_pages
from vision_api.storage_layout import archive_key, manifest_key, sample_page_key

REPEAT_SECONDS = 1.0
MEMORY_BYTES = 4 * 2**30
"""Limit of the process' memory: the labels of a million images, and the largest image."""
FILES = "files"
STORED = "stored"
RESULT_FILE = "prepared.json"

ReportProgress = Callable[[str, int | None], None]
"""Called with the stage of the work, and how much of it is done, in percent, if that is known."""


@dataclass(frozen=True)
class DatasetSummary:
    """Properties of a valid data set, named as the columns of its row."""

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
class PrepareResult:
    """Result of preparing an upload. Without `summary` it cannot be trained on, and `findings` have the reasons."""

    findings: list[Finding] = field(default_factory=list[Finding])
    summary: DatasetSummary | None = None


result_json: TypeAdapter[PrepareResult] = TypeAdapter(PrepareResult)
limits_json: TypeAdapter[ArchiveLimits] = TypeAdapter(ArchiveLimits)
splits_json: TypeAdapter[SplitOptions | None] = TypeAdapter(SplitOptions | None)

DECODED_PERCENT, HASHED_PERCENT = 80, 90
"""Percent of `checking` after which all images are decoded, and all files hashed; the rest writes the archive."""

DISK_FULL = errno.ENOSPC
"""Exit code for a full disk."""


def prepare_archive(
    archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None = None
) -> PrepareResult:
    """Unpack `archive` into `folder/files`, unless it is a folder already, split it by `splits`, and prepare that.

    Raises OSError for a full disk.
    """
    source = archive
    if not archive.is_dir():
        source = folder / FILES
        report("unpacking", 0)
        try:
            extract_archive(archive, source, limits, _report_part(report, "unpacking", 0, 100))
        except DatasetError as error:
            return PrepareResult(error.findings)
        if archive.parent == folder:  # a copy of our own; without it the disk holds more data sets
            archive.unlink()
    report("checking", 0)
    try:
        warnings = store_splits(source, splits, report) if splits is not None else []
    except DatasetError as error:
        return PrepareResult(error.findings)
    result = prepare_folder(source, folder, report)
    return replace(result, findings=[*warnings, *result.findings])


def store_splits(source: Path, options: SplitOptions, report: ReportProgress) -> list[Finding]:
    """Write `splits.json` into the data set, and return warnings. Raises DatasetError for impossible splits."""
    try:
        dataset = open_dataset(source, on_progress=_report_part(report, "checking", 0, 0))
    except DatasetError:
        return []  # `prepare_folder` opens it again, and reports all findings
    own = dataset.own_splits
    try:
        write_split_file(dataset, assign_splits(own, options))
    except ValueError as error:
        message, fix = f"It cannot be split as requested: {error}.", "Choose other fractions, or add images."
        raise DatasetError([Finding(code="split_empty", file="", message=message, fix=fix)]) from error
    fractions = {Split.VAL: options.val_fraction, Split.TEST: options.test_fraction}
    return [
        Finding(
            severity="warning", code="split_kept", file="", fix="Send `resplit=true` to split all images anew.",
            message=f"The data set brings `{split}`, so `{split}_fraction` was not used.",
        )
        for split, fraction in fractions.items()
        if fraction is not None and split in own and not options.is_whole
    ]  # fmt: skip


def prepare_folder(source: Path, folder: Path, report: ReportProgress) -> PrepareResult:
    """Check the data set in `source`, and write what is to be stored into `folder/stored`, under its keys."""
    try:
        dataset = open_dataset(source, deep=True, on_progress=_report_part(report, "checking", 0, DECODED_PERCENT))
    except DatasetError as error:
        return PrepareResult(error.findings)
    manifest = dataset_manifest(dataset, _report_part(report, "checking", DECODED_PERCENT, HASHED_PERCENT))
    digest = manifest_digest(manifest)
    archive = _new_file(folder, archive_key(digest))
    write_archive(dataset, archive, _report_part(report, "checking", HASHED_PERCENT, 100))
    _new_file(folder, manifest_key(digest)).write_text("\n".join(manifest), "utf-8")
    for split, page, content in sample_pages(dataset, stored_files(archive)):
        _new_file(folder, sample_page_key(digest, split, page)).write_bytes(content)
    return PrepareResult(list(dataset.findings), _summarize(dataset, digest, manifest))


def _report_part(report: ReportProgress, stage: str, first: int, last: int) -> OnProgress:
    """Return a callback that reports a part of the stage, from `first` to `last` percent."""
    return lambda done, total: report(stage, first + (last - first) * done // max(total, 1))


def _new_file(folder: Path, key: str) -> Path:
    path = folder / STORED / key
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _summarize(dataset: Dataset, digest: str, manifest: list[str]) -> DatasetSummary:
    return DatasetSummary(
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
    """Prepare an archive by the arguments of the command line."""
    archive, folder, limits, splits = arguments
    confine(MEMORY_BYTES)
    options = limits_json.validate_json(limits), _print_progress, splits_json.validate_json(splits)
    try:
        result = prepare_archive(Path(archive), Path(folder), *options)
        Path(folder, RESULT_FILE).write_bytes(result_json.dump_json(result))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return DISK_FULL
        raise
    return 0


_last_printed: list[tuple[str, float]] = [("", 0.0)]


def _print_progress(stage: str, percent: int | None) -> None:
    """Print changes, and repeat the same progress once a second: a sign that the work continues."""
    line, now = json.dumps([stage, percent]), time.monotonic()
    last_line, printed_at = _last_printed[-1]
    if last_line != line or now - printed_at >= REPEAT_SECONDS:
        _last_printed[:] = [(line, now)]
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
