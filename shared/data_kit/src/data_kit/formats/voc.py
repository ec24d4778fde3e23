"""Pascal VOC: `Annotations/….xml`, `JPEGImages/…`, and `ImageSets/Main/train.txt` with a name a line.

Without lists of names, folders such as `train/` and `valid/` are the splits. Pixels are counted from 1, and a box
includes its last one.
"""

import math
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from data_kit.dataset import Box, Instance, Sample, Split
from data_kit.formats.base import Labels, Source
from data_kit.formats.voc_files import VocFiles
from data_kit.geometry import OVERSHOOT_PIXELS, clip_box, has_area, overshoot
from data_kit.tree import Tree

_HEAD_BYTES = 1024
_FIX = "Export it as Pascal VOC again: `object` with `name` and `bndbox` (`xmin`, `ymin`, `xmax`, `ymax`)."


def recognize(tree: Tree) -> bool:
    """Return whether the first XML file is an annotation."""
    first = next((name for name in tree.names if name.endswith(".xml")), None)
    if first is None:
        return False
    with tree.path(first).open("rb") as file:
        return b"<annotation" in file.read(_HEAD_BYTES)


def read(source: Source) -> Labels:
    """Read the labels. Classes are the names of all objects in alphabetical order: VOC has no list of them."""
    splits: dict[Split, list[tuple[Sample, list[tuple[str, Box]]]]] = {}
    found = VocFiles(source)
    if not found.annotations:
        source.findings.error("annotations_missing", "Annotations", "There is no annotation file (`.xml`).", _FIX)
    for split, files in found.splits().items():
        splits[split] = [read for file in files if (read := _read_file(source, file, found)) is not None]
    names = sorted({name for rows in splits.values() for _, objects in rows for name, _ in objects})
    ids = {name: class_id for class_id, name in enumerate(names)}
    return Labels(
        tuple(names),
        {split: [_labelled(sample, objects, ids) for sample, objects in rows] for split, rows in splits.items()},
    )


def _labelled(sample: Sample, objects: list[tuple[str, Box]], ids: dict[str, int]) -> Sample:
    instances = tuple(Instance(ids[name], box) for name, box in objects)
    return Sample(sample.image, sample.width, sample.height, instances=instances)


def _read_file(source: Source, file: str, found: VocFiles) -> tuple[Sample, list[tuple[str, Box]]] | None:
    root = _parse(source, file)
    image = found.image_of(file, (root.findtext("filename") or "") if root is not None else "")
    size = source.size(image) if image is not None else None
    if root is None or image is None or size is None or not _has_size(source, file, root, size):
        return None
    objects: list[tuple[str, Box]] = []
    for number, element in enumerate(root.iter("object"), start=1):
        try:
            name, box = _object(element)
        except ValueError as error:
            source.findings.error("label_malformed", file, f"Object {number}: {error}.", _FIX)
            continue
        if _fits(source, file, number, box, size):
            objects.append((name, clip_box(box, size)))
    return Sample(source.tree.path(image), *size), objects


def _parse(source: Source, file: str) -> Element | None:
    text = source.tree.read_text(file)
    if text is None:
        return None
    try:
        return fromstring(text)
    except ParseError as error:
        source.findings.error("xml_malformed", file, f"This is not XML: {error.msg}.", _FIX, line=error.position[0])
    except (DefusedXmlException, ValueError) as error:
        source.findings.error("xml_malformed", file, f"This XML is not accepted: {error}.", _FIX)
    return None


def _has_size(source: Source, file: str, root: Element, size: tuple[int, int]) -> bool:
    try:
        given = (int(root.findtext("size/width") or 0), int(root.findtext("size/height") or 0))
    except ValueError:
        given = (0, 0)
    if 0 in given or given == size:
        return True
    source.findings.error(
        "image_size_differs", file,
        f"The image is {size[0]}x{size[1]} upright, but `size` says {given[0]}x{given[1]}.",
        "Use the images that were labelled, turned as they were labelled.",
    )  # fmt: skip
    return False


def _object(element: Element) -> tuple[str, Box]:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise ValueError("`name` is missing")
    sides = [element.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
    if None in sides:
        raise ValueError("`bndbox` is missing or incomplete")
    x1, y1, x2, y2 = (float(side or "") for side in sides)
    if not all(map(math.isfinite, (x1, y1, x2, y2))) or x2 < x1 or y2 < y1:
        raise ValueError(f"`bndbox` {x1:g}, {y1:g}, {x2:g}, {y2:g} is no box")
    return name, (x1 - 1, y1 - 1, x2, y2)


def _fits(source: Source, file: str, number: int, box: Box, size: tuple[int, int]) -> bool:
    if not has_area(clip_box(box, size)):
        source.findings.error(
            "label_outside_image", file, f"Object {number}: its box lies outside the image.", "Fix or remove it."
        )
        return False
    if overshoot(box, size) > OVERSHOOT_PIXELS:
        source.findings.warning(
            "box_clipped", file, f"Object {number}: the box reaches over the edge of the image, and is cut there.",
            "Nothing needs to be done; or cut it in the label.",
        )  # fmt: skip
    return True
