"""COCO's JSON files: their selection and their content."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from re import compile as pattern
from re import split as split_text
from typing import Any, cast

from data_kit.dataset import Split
from data_kit.formats.base import Source
from data_kit.splitting import SPLIT_NAMES
from data_kit.tree import Tree
from vision_contracts import TaskType

_HEAD_BYTES = 65_536
_MAX_BYTES = 2 * 1024**3
_COCO_KEY = pattern(r'"(images|annotations|categories)"\s*:\s*\[')
_PLAIN_WORDS = frozenset({"annotation", "annotations", "coco", "dataset", "instances", "labels"})
"""Words in a file's name that say nothing about its kind."""
_FIX = "Export it as COCO again: `images`, `annotations` and `categories`."


@dataclass(frozen=True)
class Category:
    """One class."""

    id: int
    name: str
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class CocoImage:
    """One entry of `images`."""

    id: int
    file_name: str
    size: tuple[int, int] | None


@dataclass(frozen=True)
class AnnotationFile:
    """A checked JSON file."""

    name: str
    split: Split
    categories: list[Category]
    images: list[CocoImage]
    annotations: dict[int, list[dict[str, Any]]]
    """Raw annotations by image id."""

    @property
    def folder_names(self) -> frozenset[str]:
        """Possible names of its image folder, in lower case: `instances_train2017` → `train2017`, `train`."""
        words = set(split_text(r"[_.\-\s]", PurePosixPath(self.name).stem.lower()))
        return frozenset({word for word in words if _split_of_word(word) is self.split} | _names_of(self.split))


def _names_of(split: Split) -> set[str]:
    return {name for name, named in SPLIT_NAMES.items() if named is split}


def _split_of_word(word: str) -> Split | None:
    return SPLIT_NAMES.get(word.rstrip("0123456789"))


def looks_like_coco(tree: Tree, name: str) -> bool:
    """Check the first bytes only, so that a large file costs nothing."""
    try:
        with tree.path(name).open("rb") as file:
            return bool(_COCO_KEY.search(file.read(_HEAD_BYTES).decode("utf-8", "replace")))
    except OSError:
        return False


def annotation_files(source: Source) -> list[tuple[str, Split]]:
    """Return files of one kind with their splits: COCO's own archive has instances, keypoints and captions."""
    names = [n for n in source.tree.names if n.endswith(".json") and looks_like_coco(source.tree, n)]
    kinds: dict[str, list[tuple[str, Split]]] = {}
    for name in names:
        split, kind = _split_and_kind(name)
        kinds.setdefault(kind, []).append((name, split))
    if not kinds:
        source.findings.error("annotations_missing", "annotations", "There is no COCO annotation file.", _FIX)
        return []
    chosen = min(kinds, key=lambda kind: (_rank(kind, source.task_type), -len(kinds[kind]), kind))
    for kind in kinds.keys() - {chosen}:
        for name, _ in kinds[kind]:
            source.findings.warning(
                "annotations_ignored",
                name,
                f"Only `{kinds[chosen][0][0]}` and its like are read.",
                "Remove this file, or keep each kind of labels in a data set of its own.",
            )
    return kinds[chosen]


def _split_and_kind(name: str) -> tuple[Split, str]:
    """`annotations/instances_val2017.json` → val, `instances`; the split may also stand in the folder's name."""
    path = PurePosixPath(name)
    words = [word for word in split_text(r"[_.\-\s]", path.stem.lower()) if word]
    own = next((split for word in words if (split := _split_of_word(word))), None)
    parents = next((split for part in reversed(path.parts[:-1]) if (split := _split_of_word(part.lower()))), None)
    kind = "_".join(word for word in words if _split_of_word(word) is None and word not in _PLAIN_WORDS)
    return own or parents or Split.TRAIN, kind


def _rank(kind: str, task_type: TaskType | None) -> int:
    if task_type is TaskType.POSE_ESTIMATION:
        return 0 if "keypoint" in kind else 1
    return 2 if "caption" in kind else int(bool(kind))


def read_annotations(source: Source, name: str, split: Split) -> AnnotationFile | None:
    """Read the file; None, and a finding, if it is not as COCO has it."""
    text = source.tree.read_text(name, _MAX_BYTES)
    if text is None:
        return None
    try:
        return _parse(name, split, json.loads(text))
    except json.JSONDecodeError as error:
        source.findings.error("json_malformed", name, f"This is not JSON: {error.msg}.", _FIX, line=error.lineno)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        what = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
        source.findings.error("annotations_malformed", name, f"This is not as COCO has it: {what}.", _FIX)
    return None


def _parse(name: str, split: Split, content: Any) -> AnnotationFile:
    annotations: dict[int, list[dict[str, Any]]] = {}
    for annotation in _rows(content, "annotations"):
        annotations.setdefault(annotation["image_id"], []).append(annotation)
    categories = [_category(row) for row in _rows(content, "categories")]
    images = [_image(row) for row in _rows(content, "images")]
    _check_ids("categories", [category.id for category in categories])
    _check_ids("images", [image.id for image in images])
    unknown = annotations.keys() - {image.id for image in images}
    if unknown:
        raise ValueError(f"`annotations` name image {min(unknown, key=str)}, which is not in `images`")
    return AnnotationFile(name, split, categories, images, annotations)


def _check_ids(key: str, ids: Sequence[int]) -> None:
    repeated = [found for found, count in Counter(ids).items() if count > 1]
    if repeated:
        raise ValueError(f"two `{key}` have the id {repeated[0]}")


def _rows(content: Any, key: str) -> list[dict[str, Any]]:
    rows: Any = cast("dict[str, Any]", content)[key] if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast("list[Any]", rows)):
        raise ValueError(f"`{key}` must be a list of objects")
    return cast("list[dict[str, Any]]", rows)


def _category(row: dict[str, Any]) -> Category:
    keypoints = tuple(str(keypoint) for keypoint in row.get("keypoints") or ())
    pairs = ((int(a) - 1, int(b) - 1) for a, b in row.get("skeleton") or ())
    places = range(len(keypoints))
    skeleton = tuple(pair for pair in pairs if pair[0] in places and pair[1] in places)
    return Category(int(row["id"]), str(row["name"]), keypoints, skeleton)


def _image(row: dict[str, Any]) -> CocoImage:
    width, height = row.get("width"), row.get("height")
    return CocoImage(row["id"], str(row["file_name"]), (int(width), int(height)) if width and height else None)
