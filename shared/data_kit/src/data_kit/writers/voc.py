"""Writer of Pascal VOC, for boxes."""

from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from data_kit.dataset import Dataset, Sample
from data_kit.writers.image_files import place_image


def write_voc(dataset: Dataset, folder: Path) -> Path:
    """Write `JPEGImages`, `Annotations` and `ImageSets/Main` below `folder`, which it returns. Crowds are left out."""
    images, annotations, lists = folder / "JPEGImages", folder / "Annotations", folder / "ImageSets" / "Main"
    for created in (images, annotations, lists):
        created.mkdir(parents=True, exist_ok=True)
    index = 0
    for split, samples in dataset.splits.items():
        stems: list[str] = []
        for sample in samples:
            image = place_image(sample.image, images, index)
            tree = ElementTree(_annotation(dataset, sample, image.name))
            tree.write(annotations / f"{image.stem}.xml", encoding="utf-8", xml_declaration=True)
            stems.append(image.stem)
            index += 1
        (lists / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems), "utf-8")
    return folder


def _annotation(dataset: Dataset, sample: Sample, image: str) -> Element:
    root = Element("annotation")
    SubElement(root, "filename").text = image
    _children(SubElement(root, "size"), width=sample.width, height=sample.height, depth=3)
    for instance in sample.instances:
        if instance.is_crowd:
            continue
        x1, y1, x2, y2 = instance.box
        (xmin, xmax), (ymin, ymax) = _pixels(x1, x2), _pixels(y1, y2)
        element = SubElement(root, "object")
        SubElement(element, "name").text = dataset.class_names[instance.class_id]
        _children(SubElement(element, "bndbox"), xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)
    indent(root)
    return root


def _pixels(start: float, end: float) -> tuple[float, float]:
    """Return first and last pixel, counted from 1. A side shorter than a pixel becomes one pixel."""
    first = max(1.0, min(start + 1, end))
    return first, max(first, end)


def _children(parent: Element, **values: float) -> None:
    for name, value in values.items():
        SubElement(parent, name).text = f"{value:.9g}"
