"""Matching of a Pascal VOC data set's files: lists of names, annotations and images.

An archive may hold several roots side by side, such as `VOC2007` and `VOC2012`. Each has names of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from unicodedata import normalize

from data_kit.dataset import Split
from data_kit.formats.base import Source
from data_kit.splitting import SPLIT_NAMES
from data_kit.tree import Tree, is_image

_LISTS = "ImageSets"
_LIST_STEMS = frozenset({*SPLIT_NAMES, "trainval"})
_KIND_FOLDERS = frozenset({"annotations", "images", "jpegimages", "xmls"})
"""Folders named by the kind of their files: they are ignored in matching."""
_MASK_FOLDERS = frozenset({"segmentationclass", "segmentationobject"})
"""Folders whose images are labels of pixels."""


class VocFiles:
    """Finder of a data set's annotations by its lists, and of the image of each."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.annotations = [name for name in source.tree.names if name.endswith(".xml")]
        self._images: dict[str, list[str]] = defaultdict(list)
        for name in source.tree.names:
            if is_image(name) and _MASK_FOLDERS.isdisjoint(_folders(name)):
                self._images[PurePosixPath(name).stem].append(name)

    def splits(self) -> dict[Split, list[str]]:
        """Return each split's annotations: by the lists of names, else by folders such as `train/` and `valid/`."""
        lists = _split_lists(self._source.tree)
        if not lists:
            return self._splits_of_folders()
        splits: dict[Split, list[str]] = defaultdict(list)
        for root, by_split in lists.items():
            by_stem = self._by_stem(root)
            for split, name in by_split.items():
                splits[split] += self._listed(name, root, by_stem)
        return splits

    def _splits_of_folders(self) -> dict[Split, list[str]]:
        splits: dict[Split, list[str]] = defaultdict(list)
        for file in self.annotations:
            named = (SPLIT_NAMES.get(part) for part in reversed(_folders(file)))
            splits[next((split for split in named if split), Split.TRAIN)].append(file)
        return splits

    def _by_stem(self, root: str) -> dict[str, list[str]]:
        """Return the root's annotations, or all if it has none. Those in `Annotations` hide others of their name."""
        own = [file for file in self.annotations if file.startswith(_join(root, ""))] or self.annotations
        by_stem: dict[str, list[str]] = defaultdict(list)
        for file in own:
            by_stem[PurePosixPath(file).stem].append(file)
        usual = {stem: _join(root, f"Annotations/{stem}.xml") for stem in by_stem}
        return {stem: [usual[stem]] if usual[stem] in files else files for stem, files in by_stem.items()}

    def _listed(self, name: str, root: str, by_stem: dict[str, list[str]]) -> list[str]:
        found: list[str] = []
        text = self._source.tree.read_list(name) or ""
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            stem = line.split(maxsplit=1)[0]
            files = by_stem.get(stem, [])
            found += files[:1]
            if len(files) > 1:
                self._source.findings.error(
                    "annotations_ambiguous", name, f"`{stem}` may be {_enumerate(files)}.",
                    "Give each annotation and its image a name of their own.", line=number,
                )  # fmt: skip
            elif not files:
                self._source.findings.error(
                    "annotations_missing", name, f"There is no annotation file for `{stem}`.",
                    f"Add `{_join(root, f'Annotations/{stem}.xml')}`, or remove this line.", line=number,
                )  # fmt: skip
        return found

    def image_of(self, file: str, file_name: str) -> str | None:
        """Return the image of the annotation's name, the nearest one if there are several.

        `file_name`, which stands in the annotation and is often out of date, decides between equally near ones.
        None, and a finding, if there is none, or if nothing decides.
        """
        stem = PurePosixPath(file).stem
        nearest = _all_best(self._images.get(stem, ()), lambda image: _nearness(image, file, file_name))
        if len(nearest) == 1:
            return nearest[0]
        if nearest:
            self._source.findings.error(
                "image_ambiguous", file, f"Its image may be {_enumerate(nearest)}.",
                "Keep one, or put the images into the same folders below `JPEGImages` as their annotations below "
                "`Annotations`.",
            )  # fmt: skip
        else:
            self._source.findings.error(
                "image_missing", file, f"There is no image `{stem}.jpg`.",
                "Add it to `JPEGImages`, or remove this file.",
            )  # fmt: skip
        return None


def _split_lists(tree: Tree) -> dict[str, dict[Split, str]]:
    """Return each root's `train.txt`, `val.txt` and `test.txt`, of one folder below its `ImageSets`.

    That is `Main`, if there is one: others name the images that have masks, or parts of persons. Without `train`,
    `trainval` is to be split.
    """
    by_folder: dict[PurePosixPath, dict[str, str]] = defaultdict(dict)
    for name in tree.names:
        path = PurePosixPath(name)
        if path.suffix == ".txt" and _LISTS in path.parts[:-1] and path.stem.lower() in _LIST_STEMS:
            by_folder[path.parent][path.stem.lower()] = name
    folders: dict[str, PurePosixPath] = {}
    for folder in sorted(by_folder, key=lambda folder: (folder.name.lower() != "main", len(folder.parts), folder)):
        folders.setdefault("/".join(folder.parts[: folder.parts.index(_LISTS)]), folder)
    return {root: _by_split(by_folder[folder]) for root, folder in sorted(folders.items())}


def _by_split(lists: dict[str, str]) -> dict[Split, str]:
    found = {split: lists[name] for name, split in SPLIT_NAMES.items() if name in lists}
    return found if "trainval" not in lists else {Split.TRAIN: lists["trainval"]} | found


def _enumerate(names: Iterable[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def _join(root: str, name: str) -> str:
    return f"{root}/{name}" if root else name


def _all_best(names: Iterable[str], rank: Callable[[str], tuple[int, ...]]) -> list[str]:
    ranks = {name: rank(name) for name in names}
    return [name for name, found in ranks.items() if found == max(ranks.values())]


def _nearness(image: str, file: str, file_name: str) -> tuple[int, ...]:
    """Return a pair's rank: high for `images/train/1.jpg` and `annotations/train/1.xml`, which belong together."""
    places = [["" if part in _KIND_FOLDERS else part for part in _folders(name)] for name in (image, file)]
    one, other = ([part for part in place if part] for place in places)
    given = PurePosixPath(normalize("NFC", file_name.strip().replace("\\", "/"))).name
    return (
        places[0] == places[1],
        one == other,
        _num_shared(one[::-1], other[::-1]),
        _num_shared(one, other),
        PurePosixPath(image).name == given,
    )


def _num_shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of their common beginning."""
    differ = (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


def _folders(name: str) -> list[str]:
    return name.lower().split("/")[:-1]
