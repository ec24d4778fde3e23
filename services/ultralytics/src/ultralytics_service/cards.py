"""Cards of all architectures. Networks are built without memory for their weights, only to be counted."""

import re
from collections.abc import Iterator
from itertools import groupby

from ultralytics_service.architectures import Architecture, architectures, published_weights
from ultralytics_service.kinds import Kind
from ultralytics_service.probe import input_size, measure, without_bias_init
from vision_contracts import ModelCard

_PURPOSES = {
    Kind.DETECT: "object detection",
    Kind.RTDETR: "object detection with a transformer decoder",
    Kind.SEGMENT: "instance segmentation",
    Kind.POSE: "pose estimation",
    Kind.OBB: "detection of oriented boxes",
    Kind.SEMANTIC: "semantic segmentation",
    Kind.CLASSIFY: "image classification",
}
_SCALES = {"n": "nano", "t": "tiny", "s": "small", "m": "medium", "b": "balanced", "c": "compact", "l": "large"} | {
    "x": "extra large",
    "e": "extended",
}
_VARIANTS = {
    "p2": "an extra fine level (P2) for small objects",
    "p6": "an extra coarse level (P6) for large images",
    "ghost": "cheaper Ghost convolutions",
    "spp": "spatial pyramid pooling",
    "tiny": "few layers",
    "resnet18": "a ResNet-18 backbone",
    "resnet50": "a ResNet-50 backbone",
    "resnet101": "a ResNet-101 backbone",
}
_BEST_KNOWN = {"YOLO11", "YOLO26", "YOLOv8"}
_WELL_KNOWN = {"YOLO12", "YOLOv10", "YOLOv9", "YOLOv5", "RT-DETR"}


def make_cards() -> Iterator[ModelCard]:
    """One card for every network that differs from the others: scales of the same size are one network."""
    with without_bias_init():
        for _, family in groupby(architectures(), key=lambda architecture: architecture.stem):
            sized = [(architecture, *measure(architecture)) for architecture in family]
            if len(sized) > 1 and len({params for _, params, _ in sized}) == 1:
                only, params, gmacs = sized[0]
                sized = [(Architecture(only.stem, only.stem, "", only.kind), params, gmacs)]
            for architecture, params, gmacs in sized:
                yield make_card(architecture, params, gmacs)


def make_card(architecture: Architecture, params: int, gmacs: float) -> ModelCard:
    weights = published_weights(architecture)
    family = _family(architecture)
    return ModelCard(
        framework="ultralytics",
        model_name=architecture.name,
        display_name=re.sub("^yolo", "YOLO", architecture.name).replace("rtdetr", "RT-DETR"),
        description=_describe(architecture, family, params),
        task_types=[architecture.kind.task_type],
        family=family,
        params=params,
        gmacs=round(gmacs, 3),
        input_size=input_size(architecture),
        pretrained_available=weights is not None,
        pretrained_tags=[weights] if weights else [],
        license="AGPL-3.0",
        recommended_batch_size=16 if gmacs < 40 else 8 if gmacs < 150 else 4,
        recommended_lr=_learning_rate(architecture, params),
        tags=_tags(architecture),
        priority=_priority(architecture, family, weights),
        hyperparameters_ref=architecture.kind,
    )


def _family(architecture: Architecture) -> str:
    version = re.match(r"yolo(v?\d+)", architecture.stem)
    return f"YOLO{version[1]}" if version else "RT-DETR"


def _scale(architecture: Architecture) -> str | None:
    """Return the scale in words, by the letter behind the version; some families have none."""
    letter = re.match(r"(?:yolov?\d+|rtdetr-)([a-z])(?:-|$)", architecture.name)
    return _SCALES.get(letter[1]) if letter else None


def _describe(architecture: Architecture, family: str, params: int) -> str:
    scale = _scale(architecture)
    variants = [text for part, text in _VARIANTS.items() if part in architecture.stem.split("-")[1:]]
    purpose = _PURPOSES[architecture.kind] + (f", with {' and '.join(variants)}" if variants else "")
    return f"{family} {scale or ''}".rstrip() + f" for {purpose}: {params / 1e6:.1f} M parameters."


def _learning_rate(architecture: Architecture, params: int) -> float:
    if architecture.kind is Kind.RTDETR:
        return 2e-4
    return 1e-3 if params < 30e6 else 5e-4


def _tags(architecture: Architecture) -> list[str]:
    return [tag for tag in (str(architecture.kind), _scale(architecture)) if tag]


def _priority(architecture: Architecture, family: str, weights: str | None) -> int:
    if weights and ((family in _BEST_KNOWN and architecture.scale in "nsm") or architecture.name == "rtdetr-l"):
        return 0
    return 1 if weights and family in _BEST_KNOWN | _WELL_KNOWN else 2
