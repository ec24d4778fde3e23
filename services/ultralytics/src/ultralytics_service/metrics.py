"""The library's numbers under the platform's names."""

from collections.abc import Mapping

from ultralytics_service.kinds import Kind
from vision_contracts import metric_names

_BOXES = {"metrics/mAP50-95(B)": metric_names.VAL_MAP50_95, "metrics/mAP50(B)": metric_names.VAL_MAP50}
_SHARED = {
    Kind.DETECT: _BOXES,
    Kind.RTDETR: _BOXES,
    Kind.OBB: _BOXES,
    Kind.SEGMENT: {"metrics/mAP50-95(M)": metric_names.VAL_MAP50_95, "metrics/mAP50(M)": metric_names.VAL_MAP50},
    Kind.POSE: {"metrics/mAP50-95(P)": metric_names.VAL_MAP50_95, "metrics/mAP50(P)": metric_names.VAL_MAP50},
    Kind.SEMANTIC: {"metrics/mIoU": metric_names.VAL_MIOU},
    Kind.CLASSIFY: {"metrics/accuracy_top1": metric_names.VAL_ACCURACY},
}
"""A task's own quality is the primary one: masks for segmentation, keypoints for pose. That of their boxes stays
beside it as `ultralytics/box_…`."""

_PARTS = {"(B)": "box_", "(M)": "mask_", "(P)": "keypoint_"}


def validation_values(kind: Kind, metrics: Mapping[str, float]) -> dict[str, float]:
    """What one validation gave, with `val/loss` as the sum of its parts."""
    losses = {name: value for name, value in metrics.items() if name.startswith("val/")}
    values = {metric_names.VAL_LOSS: sum(losses.values())}
    for name, value in metrics.items():
        if name not in losses:
            values[_SHARED[kind].get(name) or _own_name(name)] = float(value)
    if len(losses) > 1:
        values |= {f"ultralytics/{name.replace('/', '_')}": float(value) for name, value in losses.items()}
    return values


def training_values(losses: Mapping[str, float]) -> dict[str, float]:
    """The loss of one batch, and its parts where there is more than one."""
    values = {metric_names.TRAIN_LOSS: sum(losses.values())}
    if len(losses) > 1:
        values |= {f"ultralytics/{name}": value for name, value in losses.items()}
    return values


def primary_metric(kind: Kind) -> str:
    """What tells the best epoch; more is better."""
    return next(iter(_SHARED[kind].values()))


def _own_name(name: str) -> str:
    """`metrics/mAP50-95(B)` → `ultralytics/box_map50_95`."""
    own = name.removeprefix("metrics/")
    for suffix, prefix in _PARTS.items():
        if own.endswith(suffix):
            own = prefix + own.removesuffix(suffix)
    return f"ultralytics/{own.lower().replace('-', '_')}"
