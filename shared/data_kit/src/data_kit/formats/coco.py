"""COCO: a JSON file for each split with `images`, `annotations` and `categories`."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from data_kit.dataset import Instance, Sample, Split
from data_kit.formats.base import Labels, Source
from data_kit.formats.coco_files import AnnotationFile, CocoImage, annotation_files, looks_like_coco, read_annotations
from data_kit.formats.coco_instances import InstanceReader
from data_kit.tree import Tree, join_inside


def recognize(tree: Tree) -> bool:
    """Return whether a JSON file begins as COCO's do."""
    return any(looks_like_coco(tree, name) for name in tree.names if name.endswith(".json"))


def read(source: Source) -> Labels:
    """Read the labels. Classes are the categories by id; files of several splits agree on them by name."""
    files: list[AnnotationFile] = []
    for name, split in annotation_files(source):
        annotations = read_annotations(source, name, split)
        if annotations is not None:
            files.append(annotations)
    classes = _Classes()
    for file in files:
        classes.add(file)
    splits: dict[Split, list[Sample]] = {}
    for file in files:
        splits.setdefault(file.split, []).extend(_read_file(source, file, classes))
    return Labels(
        tuple(classes.names),
        splits,
        classes.keypoint_names,
        _mirrored_keypoints(classes.keypoint_names),
        classes.skeleton,
    )


@dataclass
class _Classes:
    """Classes over all files, and for each file the class of each category id."""

    names: dict[str, int] = field(default_factory=dict[str, int])
    by_category: dict[str, dict[int, int]] = field(default_factory=dict[str, dict[int, int]])
    keypoint_names: tuple[str, ...] = ()
    num_keypoints: int = 0
    """Taken from the first file that has any."""
    skeleton: tuple[tuple[int, int], ...] = ()

    def add(self, file: AnnotationFile) -> None:
        ids: dict[int, int] = {}
        for category in sorted(file.categories, key=lambda category: category.id):
            ids[category.id] = self.names.setdefault(category.name, len(self.names))
            self.keypoint_names = self.keypoint_names or category.keypoints
            self.skeleton = self.skeleton or category.skeleton
        self.num_keypoints = len(self.keypoint_names)
        self.by_category[file.name] = ids


_SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}


def _mirrored_keypoints(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the index of each keypoint's mirror image, by `left` and `right` in their names.

    Empty if no name has a side, or the other side of one is missing: then nothing is known.
    """
    words = [tuple(name.lower().replace("-", "_").split("_")) for name in names]
    other = [tuple(_SIDES.get(word, word) for word in parts) for parts in words]
    if other == words or not all(parts in words for parts in other):
        return ()
    return tuple(words.index(parts) for parts in other)


def _read_file(source: Source, file: AnnotationFile, classes: _Classes) -> list[Sample]:
    reader = InstanceReader(source.findings, file.name, classes.by_category[file.name], classes.num_keypoints)
    finder = _ImageFinder(source.tree, file)
    samples: list[Sample] = []
    for image in file.images:
        name = _find(source, finder, file, image)
        size = source.size(name) if name is not None else None
        if name is None or size is None or not _has_size(source, file, image, size):
            continue
        instances: list[Instance] = []
        for annotation in file.annotations.get(image.id, ()):
            instance = reader.read(annotation, size)
            if instance is not None:
                instances.append(instance)
        samples.append(Sample(source.tree.path(name), *size, instances=tuple(instances)))
    classes.num_keypoints = reader.num_keypoints
    return samples


def _find(source: Source, finder: "_ImageFinder", file: AnnotationFile, image: CocoImage) -> str | None:
    candidates = finder.candidates(image.file_name)
    found = next((name for name in candidates if name in source.tree), None)
    if found is not None:
        return found
    if not candidates:
        source.findings.error(
            "path_leaves_root",
            file.name,
            f"Image {image.id}: `{image.file_name}` leads out of the data set.",
            "Write file names relative to the folder of images.",
        )
    else:
        source.findings.error(
            "image_missing",
            file.name,
            f"Image {image.id}: there is no file `{image.file_name}`.",
            f"Add it, for example as `{candidates[-1]}`, or remove it from `images`.",
        )
    return None


class _ImageFinder:
    """The folders in which a file's images may lie: beside it, in the split's folder, in `images`, at the top."""

    def __init__(self, tree: Tree, file: AnnotationFile) -> None:
        beside = PurePosixPath(file.name).parent.as_posix()
        named = [
            folder
            for parent in ("", "images", "data")
            for folder in tree.folders(parent)
            if PurePosixPath(folder).name.lower() in file.folder_names
        ]
        folders = ["" if beside == "." else beside, *named, "images", "data", "JPEGImages", ""]
        self._folders = list(dict.fromkeys(folders))

    def candidates(self, file_name: str) -> list[str]:
        """Return the possible places of `file_name`; none if it would leave the root from every folder."""
        joined = (join_inside(folder, file_name) for folder in self._folders)
        return [name for name in joined if name is not None]


def _has_size(source: Source, file: AnnotationFile, image: CocoImage, size: tuple[int, int]) -> bool:
    if image.size in (None, size):
        return True
    source.findings.error(
        "image_size_differs",
        file.name,
        f"Image {image.id}: `{image.file_name}` is {size[0]}x{size[1]} upright, but `images` says "
        f"{image.size[0]}x{image.size[1]}."
        if image.size
        else "",
        "Use the images that were labelled, turned as they were labelled.",
    )
    return False
