"""YOLO: `data.yaml` names splits and classes; `labels/….txt` belongs to `images/….jpg`."""

from pathlib import PurePosixPath

from data_kit.dataset import Sample, Split
from data_kit.formats.base import Labels, Source
from data_kit.formats.yolo_config import YoloConfig, config_names, read_config
from data_kit.formats.yolo_labels import LabelParser
from data_kit.tree import Tree, is_image, join_inside


def recognize(tree: Tree) -> bool:
    """Return whether there is a YAML file at the top, or else a folder `labels` of text files."""
    return bool(config_names(tree)) or any(
        name.endswith(".txt") and "labels" in PurePosixPath(name).parts[:-1] for name in tree.names
    )


def read(source: Source) -> Labels:
    """Read all that `data.yaml` names. Its `path:` is ignored: a data set is where it lies."""
    config = read_config(source)
    if config is None:
        return Labels((), {})
    splits = {split: _read_split(source, config, split) for split in config.splits}
    _check_labels_without_image(source)
    return Labels(
        config.class_names,
        splits,
        config.keypoint_names,
        config.keypoint_flip,
        config.skeleton,
    )


def _read_split(source: Source, config: YoloConfig, split: Split) -> list[Sample]:
    images = list(
        dict.fromkeys(
            image for entry in config.splits[split] for image in _images_of(source, config.file, split, entry)
        )
    )
    labels = {image: label_name(image) for image in images}
    if images and not any(label in source.tree for label in labels.values()):
        source.findings.error(
            "labels_missing",
            labels[images[0]],
            f"None of the {len(images)} images of `{split}` has a label file.",
            "Put `labels/….txt` beside `images/…`, one file for each image and of its name.",
        )
    parser = LabelParser(source.findings, len(config.class_names), config.keypoint_shape)
    samples: list[Sample] = []
    for image, label in labels.items():
        size = source.size(image)
        text = source.tree.read_text(label) if label in source.tree else _without_label(source, image, label)
        if size is not None and text is not None:
            samples.append(Sample(source.tree.path(image), *size, instances=parser.parse(label, text, size)))
    return samples


def _without_label(source: Source, image: str, label: str) -> str:
    source.findings.warning(
        "image_without_label", image, f"There is no label file `{label}`, so this image has no objects.",
        "Add the file, an empty one if there is nothing to see; or remove the image.",
    )  # fmt: skip
    return ""


def _check_labels_without_image(source: Source) -> None:
    """Warn of label files whose image is missing, in the folders that hold the labels of others."""
    labels = {label_name(image) for image in source.tree.images("")}
    folders = {PurePosixPath(label_name(image)).parent for image in source.requested}
    for name in source.tree.names:
        path = PurePosixPath(name)
        is_label = path.suffix == ".txt" and path.parent in folders and "labels" in path.parts[:-1]
        if is_label and name not in labels and path.name != "classes.txt":
            source.findings.warning(
                "label_without_image", name, "There is no image of this name.", "Add the image, or remove this file."
            )


def label_name(image: str) -> str:
    """Return the label file's name: the last folder `images` becomes `labels`; else it lies beside the image."""
    parts = list(PurePosixPath(image).with_suffix(".txt").parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return "/".join(parts)


def _images_of(source: Source, config: str, split: Split, entry: str) -> list[str]:
    """Return the images of one entry of `train:` or `val:`: a folder, an image, or a list of images in a text file."""
    name = _locate(source.tree, entry)
    if name is None:
        source.findings.error(
            "path_leaves_root",
            config,
            f"`{split}: {entry}` leads out of the data set.",
            "Write paths relative to the folder of this file.",
        )
        return []
    if name in source.tree and name.endswith(".txt"):
        return _images_of_list(source, name)
    found = [name] if name in source.tree and is_image(name) else source.tree.images(name)
    if not found:
        source.findings.error(
            "images_missing",
            config,
            f"`{split}: {entry}` names no folder with images.",
            f"Put images into `{name or '.'}`, or fix the path; it is relative to this file.",
        )
    return found


def _locate(tree: Tree, entry: str) -> str | None:
    """Return the entry's name in the tree. Some exports write `../train/images` for `train/images`."""
    name = join_inside("", entry)
    if name is None and entry.startswith("../"):
        name = join_inside("", entry.removeprefix("../"))
        if name is not None and not tree.below(name):
            return None
    return name


def _images_of_list(source: Source, listing: str) -> list[str]:
    found: list[str] = []
    folder = PurePosixPath(listing).parent.as_posix()
    for number, line in enumerate((source.tree.read_list(listing) or "").splitlines(), start=1):
        if not line.strip():
            continue
        # Relative to the list's own folder only if it says so, as in `./images/1.jpg`; else to the root.
        candidates = [join_inside(base, line) for base in (("" if folder == "." else folder), "")]
        inside = [name for name in candidates if name is not None]
        image = next((name for name in inside if name in source.tree and is_image(name)), None)
        if image is not None:
            found.append(image)
        elif not inside:
            source.findings.error(
                "path_leaves_root",
                listing,
                f"`{line.strip()}` leads out of the data set.",
                "Write paths relative to the data set's folder.",
                line=number,
            )
        else:
            source.findings.error(
                "image_missing",
                listing,
                f"There is no image `{line.strip()}`.",
                "Add the image, or remove this line.",
                line=number,
            )
    return found
