"""`data.yaml`: classes, and the folders of images."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from re import MULTILINE
from re import compile as pattern
from typing import Any, cast

import yaml

from data_kit.dataset import Split
from data_kit.formats.base import Source
from data_kit.splitting import SPLIT_NAMES
from data_kit.tree import Tree

USUAL_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_MAX_BYTES, _MAX_DEPTH = 1024**2, 20
_KEY = pattern(rb"""^(?:\xef\xbb\xbf)?(?:\{\s*)?["']?(?:train|names)["']?\s*:""", MULTILINE)
"""A data set's key at the start of a line."""
_EXAMPLE = "Write `train: images/train`, `val: images/val` and `names: [first, second]`."


@dataclass(frozen=True)
class YoloConfig:
    """A checked `data.yaml`."""

    file: str
    class_names: tuple[str, ...]
    splits: dict[Split, tuple[str, ...]]
    """Folders, images and lists of images, as written."""
    keypoint_shape: tuple[int, int] | None = None
    """Number of keypoints, and 2 or 3 numbers for each."""
    keypoint_flip: tuple[int, ...] = ()
    keypoint_names: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


class ConfigError(Exception):
    """An error in one key of `data.yaml`."""

    def __init__(self, message: str, fix: str = _EXAMPLE) -> None:
        super().__init__(message)
        self.message, self.fix = message, fix


def config_names(tree: Tree) -> list[str]:
    """Return the YAML files at the top that have a data set's key or a usual name: those with a key first."""
    found = [name for name in tree.names if "/" not in name and name.endswith((".yaml", ".yml"))]
    with_key = {name for name in found if _has_key(tree, name)}
    named = [name for name in found if name in with_key or name in USUAL_NAMES]
    return sorted(named, key=lambda name: (name not in with_key, name not in USUAL_NAMES, name))


def _has_key(tree: Tree, name: str) -> bool:
    with tree.path(name).open("rb") as file:
        return _KEY.search(file.read(_MAX_BYTES)) is not None


def read_config(source: Source) -> YoloConfig | None:
    """Read the first of `config_names`; None, and a finding, if there is none or it is wrong."""
    names = config_names(source.tree)
    if not names:
        source.findings.error("config_missing", "data.yaml", "There is no `data.yaml`.", f"Add one. {_EXAMPLE}")
        return None
    text = source.tree.read_text(names[0], _MAX_BYTES)
    if text is None:
        return None
    try:
        return _parse(names[0], _load(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else None
        problem = getattr(error, "problem", None) or "cannot be parsed"
        source.findings.error("config_malformed", names[0], f"This is not YAML: {problem}.", _EXAMPLE, line=line)
    except ConfigError as error:
        source.findings.error("config_malformed", names[0], error.message, error.fix)
    return None


def _load(text: str) -> Mapping[str, Any]:
    _check_events(cast("Iterable[object]", yaml.parse(text, Loader=yaml.SafeLoader)))  # pyright: ignore[reportUnknownMemberType]
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        _keep_names_as_text(root)
        content: Any = loader.construct_document(root) if root is not None else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except (ValueError, RecursionError) as error:  # a date that does not exist, brackets without end
        raise ConfigError(f"A value cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise ConfigError("The file holds no `key: value` lines.")
    return cast("Mapping[str, Any]", content)


def _keep_names_as_text(root: yaml.Node | None) -> None:
    """Keep names such as `no` and `007` as text: YAML would read them as False and 7."""
    if not isinstance(root, yaml.MappingNode):
        return
    for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", root.value):
        if key.value in ("names", "kpt_names") and isinstance(value, yaml.CollectionNode):
            _keep_as_text(value)


def _keep_as_text(node: yaml.Node) -> None:
    if isinstance(node, yaml.ScalarNode):
        node.tag = "tag:yaml.org,2002:str"
    elif isinstance(node, yaml.MappingNode):
        for _, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            _keep_as_text(value)
    else:
        for item in cast("list[yaml.Node]", node.value):
            _keep_as_text(item)


def _check_events(events: Iterable[object]) -> None:
    """Refuse aliases, with which a few lines grow to gigabytes, and deep nesting, which takes for ever to parse."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError("YAML aliases (`*name`) are not allowed.", "Write the values out.")
        if depth > _MAX_DEPTH:
            raise ConfigError(f"Its values are nested more than {_MAX_DEPTH} deep.")


def _parse(file: str, content: Mapping[str, Any]) -> YoloConfig:
    shape = _keypoint_shape(content.get("kpt_shape"))
    return YoloConfig(
        file=file,
        class_names=_class_names(content),
        splits=_splits(content),
        keypoint_shape=shape,
        keypoint_flip=_keypoint_flip(content.get("flip_idx"), shape),
        keypoint_names=_keypoint_names(content.get("kpt_names"), shape),
        skeleton=_skeleton(content.get("skeleton"), shape),
    )


def _class_names(content: Mapping[str, Any]) -> tuple[str, ...]:
    names = content.get("names")
    if isinstance(names, dict):
        by_id = cast("dict[Any, Any]", names)
        if set(by_id) != set(range(len(by_id))):
            raise ConfigError("`names` must count its classes 0, 1, 2 … without a gap.")
        names = [by_id[class_id] for class_id in range(len(by_id))]
    count = content.get("nc")
    if names is None and isinstance(count, int) and 0 < count < 100_000:
        names = [str(class_id) for class_id in range(count)]
    if not isinstance(names, list) or not names:
        raise ConfigError("`names` must list the classes.")
    classes = tuple(str(name) for name in cast("list[Any]", names))
    if count is not None and count != len(classes):
        raise ConfigError(f"`nc` is {count}, but `names` has {len(classes)} classes.", "Make them equal.")
    if len(set(classes)) < len(classes):
        raise ConfigError("`names` has the same class twice.", "Give every class a name of its own.")
    return classes


def _splits(content: Mapping[str, Any]) -> dict[Split, tuple[str, ...]]:
    splits: dict[Split, tuple[str, ...]] = {}
    for key, value in content.items():
        split = SPLIT_NAMES.get(str(key).lower())
        if split is None or value in (None, "", []):
            continue
        entries = cast("list[Any]", value) if isinstance(value, list) else [value]
        if not all(isinstance(entry, str) for entry in entries):
            raise ConfigError(f"`{key}` must be a path or a list of paths.")
        splits[split] = (*splits.get(split, ()), *entries)
    if Split.TRAIN not in splits:
        raise ConfigError("`train` is missing: it names the folder of the training images.")
    return splits


def _keypoint_shape(value: object) -> tuple[int, int] | None:
    match value:
        case None:
            return None
        case [int(count), int(dimensions)] if 0 < count <= 1000 and dimensions in (2, 3):
            return count, dimensions
        case _:
            raise ConfigError("`kpt_shape` must be two numbers.", "Write `kpt_shape: [17, 3]`.")


def _keypoint_flip(value: object, shape: tuple[int, int] | None) -> tuple[int, ...]:
    if value is None or shape is None:
        return ()
    if not isinstance(value, list) or sorted(cast("list[Any]", value), key=str) != sorted(range(shape[0]), key=str):
        raise ConfigError(
            f"`flip_idx` must have each number from 0 to {shape[0] - 1} once.",
            "For each keypoint write the index of its mirror image.",
        )
    return tuple(cast("list[int]", value))


def _keypoint_names(value: object, shape: tuple[int, int] | None) -> tuple[str, ...]:
    """Return the names of the first class: Ultralytics has a list for each, of one shape."""
    if isinstance(value, dict):
        value = next(iter(cast("dict[Any, Any]", value).values()), None)
    if shape is None or not isinstance(value, list) or len(cast("list[Any]", value)) != shape[0]:
        return ()
    return tuple(str(name) for name in cast("list[Any]", value))


def _skeleton(value: object, shape: tuple[int, int] | None) -> tuple[tuple[int, int], ...]:
    """Return pairs of keypoints, counted from 0. Ultralytics has no such key, and ignores it."""
    if value is None or shape is None:
        return ()
    places = range(shape[0])
    lines: list[tuple[int, int]] = []
    for pair in cast("list[Any]", value) if isinstance(value, list) else [value]:
        match pair:
            case [int(one), int(other)] if one in places and other in places:
                lines.append((one, other))
            case _:
                raise ConfigError(
                    f"`skeleton` must list pairs of keypoints from 0 to {shape[0] - 1}.", "Write `[[0, 1], [1, 2]]`."
                )
    return tuple(lines)
