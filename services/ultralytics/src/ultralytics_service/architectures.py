"""Every architecture that the installed library describes, at every scale, read from the YAML files that it ships."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from trainer_kit.trainer import TrainingError
from ultralytics_service.kinds import KIND_OF_HEAD, Kind
from ultralytics_service.library import GITHUB_ASSETS_NAMES, ROOT, YAML
from vision_contracts import EndReason

_TORCHVISION_WEIGHTS = 2
"""Position of the weights among the arguments of a `TorchVision` layer."""


@dataclass(frozen=True)
class Architecture:
    """One buildable network, such as `yolo11n-seg`."""

    name: str
    stem: str
    """Name of its YAML file; all scales of a family share it."""
    scale: str
    """Letter of the scale; empty where the file has only one."""
    kind: Kind

    def read(self) -> dict[str, Any]:
        """The description that the library builds a network from."""
        description = YAML.load(_files()[self.stem])
        # The library looks at the name of the file as well, to tell the scale and the task.
        description |= {"scale": self.scale, "yaml_file": f"{self.name}.yaml"}
        for layer in description["backbone"]:
            if layer[2] == "TorchVision":
                layer[3][_TORCHVISION_WEIGHTS] = None  # else building it downloads weights
        return description


def architectures() -> Iterator[Architecture]:
    """Yield all of them, a family's scales in the order of its file, smallest first."""
    for stem, file in _files().items():
        description = YAML.load(file)
        kind = KIND_OF_HEAD.get(description["head"][-1][2])
        if kind is None:
            continue
        scales = list(description.get("scales") or {})
        if len(scales) <= 1:
            yield Architecture(stem, stem, next(iter(scales), ""), kind)
        for scale in scales if len(scales) > 1 else ():
            yield Architecture(_scaled(stem, scale), stem, scale, kind)


def find_architecture(name: str) -> Architecture:
    """Return an architecture by its catalogue name. A family's own name means its first scale.

    Raises TrainingError for a name that the library does not ship.
    """
    by_name = _by_name()
    if name not in by_name:
        raise TrainingError(EndReason.INTERNAL, f"The installed ultralytics has no architecture named {name!r}.")
    return by_name[name]


@cache
def _by_name() -> dict[str, Architecture]:
    named: dict[str, Architecture] = {}
    for architecture in architectures():
        named.setdefault(architecture.stem, Architecture(**(vars(architecture) | {"name": architecture.stem})))
        named[architecture.name] = architecture
    return named


@cache
def _files() -> dict[str, Path]:
    return {file.stem: file for file in sorted((ROOT / "cfg" / "models").glob("*/*.yaml"))}


def _scaled(stem: str, scale: str) -> str:
    """`yolov8-pose-p6`, `n` → `yolov8n-pose-p6`: the letter stands behind the version."""
    return re.sub(r"^(yolov?\d+)", rf"\g<1>{scale}", stem)


def published_weights(architecture: Architecture) -> str | None:
    """Name of the weights that the library's makers publish for it, without `.pt`; None where there are none."""
    name = architecture.name
    candidates = (name, f"{name}u", f"{name.removesuffix('-p6')}6u")
    return next((candidate for candidate in candidates if f"{candidate}.pt" in GITHUB_ASSETS_NAMES), None)
