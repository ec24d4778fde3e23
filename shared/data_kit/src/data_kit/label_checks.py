"""What is looked at once all labels are read, whatever the format."""

from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from pathlib import PurePosixPath

from data_kit.dataset import Split
from data_kit.formats.base import Labels, Source
from data_kit.inspection import KINDS
from data_kit.duplicates import Seen, check_kinds, check_repeats
from data_kit.findings import Report
from data_kit.tree import Tree

FEW_IMAGES = 10
"""A class with fewer images to learn from is mentioned."""
_MOST_NAMED = 5


def check_labels(source: Source, labels: Labels) -> None:
    """Warns of what its owner should know before a data set is trained on; `source` was read with `deep`."""
    _check_unused(source.tree, source.asked, source.report)
    _check_classes(labels, source.report)
    check_kinds(source.looks, KINDS, source.report)
    check_repeats(_seen(source, labels), source.report)


def _check_unused(tree: Tree, asked: Set[str], report: Report) -> None:
    unused: dict[str, list[str]] = defaultdict(list)
    for name in tree.images(""):
        if name not in asked:
            unused[PurePosixPath(name).parent.as_posix()].append(name)
    for folder, names in unused.items():
        where = "at the top" if folder == "." else f"in `{folder}`"
        count = "1 image is" if len(names) == 1 else f"{len(names)} images are"
        report.warning(
            "image_unused", names[0], f"{count} used by no label and no split, {where}.",
            "Label them, name them in a split, or remove them.",
        )  # fmt: skip


def _check_classes(labels: Labels, report: Report) -> None:
    counts = Counter(class_id for sample in labels.splits.get(Split.TRAIN, ()) for class_id in sample.class_ids)
    if not counts:
        return  # that there is nothing at all is an error already
    names = list(enumerate(labels.class_names))
    missing = [name for class_id, name in names if not counts[class_id]]
    few = [f"{name} ({counts[class_id]})" for class_id, name in names if 0 < counts[class_id] < FEW_IMAGES]
    if missing:
        report.warning(
            "class_without_images", "", f"No image of `train` shows {_enumerate(missing)}.",
            "Add images of it, or remove the class: what is never seen cannot be learned.",
        )  # fmt: skip
    if few:
        report.warning(
            "class_small", "", f"Fewer than {FEW_IMAGES} images of `train` show {_enumerate(few)}.",
            "Add images: some dozens of each class, better hundreds.",
        )  # fmt: skip


def check_outlines(source: Source, labels: Labels) -> None:
    """Warns where a few objects without outline, or without four corners, keep all others from a task."""
    objects = [
        (sample, instance)
        for samples in labels.splits.values()
        for sample in samples
        for instance in sample.instances
        if not instance.is_crowd
    ]
    outline = [bool(instance.polygons) for _, instance in objects]
    corners = [instance.corners is not None for _, instance in objects]
    # Among outlines of any shape some have four corners by chance: they say nothing unless most have.
    if any(outline) and not all(outline):
        has, what, task = outline, "outline", "segmentation"
    elif sum(corners) > len(corners) / 2 and not all(corners):
        has, what, task = corners, "outline of four corners", "oriented boxes"
    else:
        return
    first = source.tree.name(objects[has.index(False)][0].image)
    source.report.warning(
        "outlines_incomplete", first,
        f"{has.count(False)} of {len(has)} objects have no {what}, the first in `{first}`: so the labels cannot train "
        f"{task}.",
        "Draw theirs too, or remove them; nothing needs to be done for a task that takes boxes.",
    )  # fmt: skip


def _enumerate(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _seen(source: Source, labels: Labels) -> list[Seen]:
    return [
        Seen(name, split, sample, look)
        for split, samples in labels.splits.items()
        for sample in samples
        if (look := source.looks.get(name := source.tree.name(sample.image))) is not None
    ]
