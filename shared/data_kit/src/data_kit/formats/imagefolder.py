"""ImageFolder: `train/<class>/…`, `val/<class>/…`, or only `<class>/…`."""

from pathlib import PurePosixPath

from data_kit.dataset import Sample, Split
from data_kit.formats.base import Labels, Source
from data_kit.splitting import SPLIT_NAMES
from data_kit.tree import Tree, is_image


def recognize(tree: Tree) -> bool:
    """Return whether there is any image: the format to try last."""
    return any(is_image(name) for name in tree.names)


def read(source: Source) -> Labels:
    """Read the labels. Classes are the folders' names in alphabetical order, over all splits."""
    folders = _split_folders(source.tree)
    classes = {folder: _classes(source, folder) for folder in folders}
    names = sorted(set[str]().union(*classes.values()))
    _check_classes(source, folders, classes, names)
    class_ids = {name: class_id for class_id, name in enumerate(names)}
    splits: dict[Split, list[Sample]] = {}
    for folder, split in folders.items():
        splits.setdefault(split, []).extend(_samples(source, folder, class_ids))
    return Labels(tuple(names), splits)


def _split_folders(tree: Tree) -> dict[str, Split]:
    folders = {name: SPLIT_NAMES[name.lower()] for name in tree.folders() if name.lower() in SPLIT_NAMES}
    return folders or {"": Split.TRAIN}


def _classes(source: Source, folder: str) -> set[str]:
    """Return the names of the class folders that hold images."""
    found: set[str] = set()
    for path in source.tree.folders(folder):
        if source.tree.images(path):
            found.add(PurePosixPath(path).name)
        elif folder:
            source.findings.warning(
                "class_empty",
                path,
                "This folder holds no images, so it is no class here.",
                "Add images to it, or remove it.",
            )
    for image in source.tree.images(folder):
        if PurePosixPath(image).parent.as_posix() == (folder or "."):
            source.findings.error(
                "image_without_class",
                image,
                "This image lies in no class folder.",
                "Move it into the folder of its class, such as `train/cat/`.",
            )
    return found


def _check_classes(source: Source, folders: dict[str, Split], classes: dict[str, set[str]], names: list[str]) -> None:
    trained = set[str]().union(*(classes[folder] for folder, split in folders.items() if split is Split.TRAIN))
    for folder, split in folders.items():
        for name in sorted(classes[folder] - trained) if trained else []:
            source.findings.error(
                "class_unknown",
                f"{folder}/{name}",
                f"Class `{name}` is in `{split}` but not in `train`.",
                f"Add a folder `train/{name}` with images, or rename or remove this one.",
            )
    if len(names) == 1:
        source.findings.error(
            "too_few_classes",
            "",
            f"There is one class only, `{names[0]}`.",
            "Put the images of each class into a folder of its own: at least two.",
        )


def _samples(source: Source, folder: str, class_ids: dict[str, int]) -> list[Sample]:
    samples: list[Sample] = []
    depth = len(folder) + 1 if folder else 0
    for image in source.tree.images(folder):
        class_id = class_ids.get(image[depth:].split("/")[0])
        size = source.size(image)
        if class_id is not None and size is not None:
            samples.append(Sample(source.tree.path(image), *size, class_id=class_id))
    return samples
