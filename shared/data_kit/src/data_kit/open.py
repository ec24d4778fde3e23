"""Detection of a folder's format, and reading of the data set in it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from data_kit.dataset import Dataset, Sample, Split
from data_kit.errors import DatasetError
from data_kit.findings import FindingCollector, is_clean
from data_kit.formats import coco, imagefolder, voc, yolo
from data_kit.formats.base import MOST_PIXEL_CLASSES, Labels, Reader, Source, tasks_of
from data_kit.label_checks import check_labels, check_outlines
from data_kit.progress import OnProgress
from data_kit.split_file import apply_split_file
from data_kit.splitting import SPLIT_NAMES, split_off
from data_kit.tree import Tree, is_ignored
from vision_contracts import DatasetFormat, TaskType

MAX_NAME = 200
"""Longest name of a class or a keypoint, in characters."""


@dataclass(frozen=True)
class _Format:
    recognize: Callable[[Tree], bool]
    read: Reader


_FORMATS = {
    DatasetFormat.YOLO: _Format(yolo.recognize, yolo.read),
    DatasetFormat.COCO: _Format(coco.recognize, coco.read),
    DatasetFormat.VOC: _Format(voc.recognize, voc.read),
    DatasetFormat.IMAGEFOLDER: _Format(imagefolder.recognize, imagefolder.read),
}
"""Formats in the order in which they are tried: any folder of images counts as an ImageFolder."""


def detect_format(root: Path) -> DatasetFormat:
    """Return the format, by what the folder holds. Raises DatasetError if it is none."""
    findings = FindingCollector()
    found = _detect(_list(root, findings), findings)
    findings.raise_errors()
    return found


def open_dataset(
    root: Path,
    *,
    format: DatasetFormat = DatasetFormat.AUTO,
    task_type: TaskType | None = None,
    seed: int = 0,
    deep: bool = False,
    on_progress: OnProgress | None = None,
) -> Dataset:
    """Read all labels, and of each image the header; with `deep`, decode every image, and warn of all that its owner
    should know: duplicates, unused images, small classes, unusual pixel formats.

    A `splits.json` at the top decides which split an image is in. Without `val`, a fifth of `train` becomes it:
    stratified, and the same for the same `seed`. `on_progress` counts images.
    Raises DatasetError with everything that is wrong: it cannot be trained on, or not for `task_type`.
    """
    findings = FindingCollector()
    tree = _list(root, findings)
    if format == DatasetFormat.AUTO:
        format = _detect(tree, findings)
    on_image = partial(_report_progress, on_progress, len(tree.images(""))) if on_progress is not None else None
    labels = _read(Source(tree, findings, task_type, deep, on_image), DatasetFormat(format))
    _check_splits(labels, findings)
    _check_names(labels, findings)
    tasks = tasks_of(labels)
    _check_tasks(tasks, task_type, findings)
    findings.raise_errors()
    splits: dict[Split, list[Sample]] = dict(labels.splits)
    has_val = Split.VAL in splits
    if not has_val:
        splits[Split.TRAIN], splits[Split.VAL] = split_off(splits[Split.TRAIN], seed)
    return Dataset(
        root=tree.root,
        format=format,
        task_types=tasks,
        class_names=labels.class_names,
        splits=dict(splits),
        keypoint_names=labels.keypoint_names,
        keypoint_flip=labels.keypoint_flip,
        skeleton=labels.skeleton,
        is_val_split_off=not has_val,
        findings=tuple(findings.collected),
    )


def _report_progress(on_progress: OnProgress, total: int, done: int) -> None:
    on_progress(done, total)


def _read(source: Source, format: DatasetFormat) -> Labels:
    labels = _FORMATS[format].read(source)
    labels = replace(labels, splits=apply_split_file(source, labels.splits))
    check_outlines(source, labels)
    if source.deep:
        check_labels(source, labels)
    return labels


def _list(root: Path, findings: FindingCollector) -> Tree:
    if not root.is_dir():
        findings.error("dataset_missing", "", f"There is no folder `{root}`.", "Fix the path.")
        findings.raise_errors()
    tree = Tree(_unwrap(root), findings)
    if not tree.names and not findings.has_errors:
        findings.error("dataset_empty", "", "The folder holds no files.", "Put images and labels into it.")
    findings.raise_errors()
    return tree


def _unwrap(root: Path) -> Path:
    """Return the data set's folder: an archive often holds one folder, and that the data set."""
    while True:
        entries = [entry for entry in root.iterdir() if not is_ignored(entry.name)]
        if len(entries) != 1 or entries[0].is_symlink() or not entries[0].is_dir():
            return root
        if entries[0].name.lower() in SPLIT_NAMES:
            return root
        root = entries[0]


def _detect(tree: Tree, findings: FindingCollector) -> DatasetFormat:
    for name, candidate in _FORMATS.items():
        if candidate.recognize(tree):
            return name
    findings.error(
        "format_unknown",
        "",
        "This is no data set: there are neither images in class folders, nor a data.yaml, nor "
        "COCO or Pascal VOC annotations.",
        "Lay it out as one of ImageFolder, YOLO, COCO and Pascal VOC.",
    )
    raise DatasetError(findings.collected)


def _check_splits(labels: Labels, findings: FindingCollector) -> None:
    if findings.has_errors:
        return
    for split in (Split.TRAIN, Split.VAL):
        if not labels.splits.get(split, True):
            findings.error("split_empty", "", f"`{split}` has no images.", "Add images to it.")
    train = labels.splits.get(Split.TRAIN)
    if train is None:
        findings.error("split_missing", "", "There is no `train`.", "Put the images to learn from into `train`.")
    elif len(train) == 1 and Split.VAL not in labels.splits:
        findings.error("too_few_images", "", "There is one image only.", "Add images: at least two, better hundreds.")
    elif train and not any(sample.class_id is not None or sample.instances for sample in train):
        findings.error("labels_missing", "", "No image of `train` has an object.", "Label objects in the images.")


def _check_names(labels: Labels, findings: FindingCollector) -> None:
    for what, names in (("class", labels.class_names), ("keypoint", labels.keypoint_names)):
        for name in names:
            if not is_clean(name) or not 0 < len(name) <= MAX_NAME:
                message = f"The {what} name `{name}` has control characters, is empty, or is longer than {MAX_NAME}."
                findings.error(f"{what}_name_malformed", "", message, f"Rename the {what}.")


def _check_tasks(tasks: frozenset[TaskType], task_type: TaskType | None, findings: FindingCollector) -> None:
    if task_type is None or task_type in tasks or findings.has_errors:
        return
    able = ", ".join(sorted(tasks)) or "nothing"
    findings.error(
        "task_not_supported",
        "",
        f"These labels cannot train {task_type}; they can train {able}.",
        f"Choose another task, or label {_NEEDS[task_type]}.",
    )


_NEEDS = {
    TaskType.IMAGE_CLASSIFICATION: "whole images: a folder for each class",
    TaskType.OBJECT_DETECTION: "objects with boxes",
    TaskType.INSTANCE_SEGMENTATION: "every object with an outline",
    TaskType.SEMANTIC_SEGMENTATION: f"every object with an outline, of {MOST_PIXEL_CLASSES} classes at most",
    TaskType.POSE_ESTIMATION: "objects with keypoints",
    TaskType.ORIENTED_OBJECT_DETECTION: "every object with the four corners of its turned box",
}
