"""Checks of a data set's labels that are the same for every format."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from pathlib import PurePosixPath

from data_kit.dataset import Split
from data_kit.duplicates import InspectedSample, check_duplicates
from data_kit.findings import FindingCollector
from data_kit.formats.base import Labels, Source
from data_kit.inspection import KINDS, ImageInspection
from data_kit.tree import Tree

FEW_IMAGES = 10
"""A class with fewer images of `train` gets a warning."""
_MOST_NAMED = 5


def check_labels(source: Source, labels: Labels) -> None:
    """Warn of what its owner should know before training. Needs a `source` that was read with `deep`."""
    _check_unused(source.tree, source.requested, source.findings)
    _check_classes(labels, source.findings)
    _check_kinds(source.inspections, source.findings)
    check_duplicates(_inspected_samples(source, labels), source.findings)


def _check_unused(tree: Tree, used: Set[str], findings: FindingCollector) -> None:
    unused: dict[str, list[str]] = defaultdict(list)
    for name in tree.images(""):
        if name not in used:
            unused[PurePosixPath(name).parent.as_posix()].append(name)
    for folder, names in unused.items():
        where = "at the top" if folder == "." else f"in `{folder}`"
        count = "1 image is" if len(names) == 1 else f"{len(names)} images are"
        findings.warning(
            "image_unused", names[0], f"{count} used by no label and no split, {where}.",
            "Label them, name them in a split, or remove them.",
        )  # fmt: skip


def _check_classes(labels: Labels, findings: FindingCollector) -> None:
    counts = Counter(class_id for sample in labels.splits.get(Split.TRAIN, ()) for class_id in sample.class_ids)
    if not counts:
        return  # that there is nothing at all is an error already
    names = list(enumerate(labels.class_names))
    missing = [name for class_id, name in names if not counts[class_id]]
    few = [f"{name} ({counts[class_id]})" for class_id, name in names if 0 < counts[class_id] < FEW_IMAGES]
    if missing:
        findings.warning(
            "class_without_images", "", f"No image of `train` shows {_enumerate(missing)}.",
            "Add images of it, or remove the class: what is never seen cannot be learned.",
        )  # fmt: skip
    if few:
        findings.warning(
            "class_small", "", f"Fewer than {FEW_IMAGES} images of `train` show {_enumerate(few)}.",
            "Add images: some dozens of each class, better hundreds.",
        )  # fmt: skip


def _check_kinds(inspections: Mapping[str, ImageInspection], findings: FindingCollector) -> None:
    """Warn once of each unusual way in which images are stored."""
    for kind, description in KINDS.items():
        names = [name for name, inspection in inspections.items() if inspection.kind == kind]
        if not names:
            continue
        more = f" and {len(names) - 1} more are" if len(names) > 1 else " is"
        findings.warning(
            f"image_{kind}", names[0], f"`{names[0]}`{more} {description}.",
            "Nothing needs to be done, if that is what you want.",
        )  # fmt: skip


def check_outlines(source: Source, labels: Labels) -> None:
    """Warn if a few objects without outline, or without four corners, rule out a task for the whole data set."""
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
    source.findings.warning(
        "outlines_incomplete", first,
        f"{has.count(False)} of {len(has)} objects have no {what}, the first in `{first}`: so the labels cannot train "
        f"{task}.",
        "Draw theirs too, or remove them; nothing needs to be done for a task that takes boxes.",
    )  # fmt: skip


def _enumerate(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _inspected_samples(source: Source, labels: Labels) -> list[InspectedSample]:
    return [
        InspectedSample(name, split, sample, inspection)
        for split, samples in labels.splits.items()
        for sample in samples
        if (inspection := source.inspections.get(name := source.tree.name(sample.image))) is not None
    ]
