"""The library's losses under the platform's names, and its own measures under names of its own.

The job's primary metric comes from the kit's evaluator: see `predictions`.
"""

from collections.abc import Mapping

from vision_contracts import metric_names

_PARTS = {"(B)": "box_", "(M)": "mask_", "(P)": "keypoint_"}


def validation_values(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the values of one validation, with `val/loss` as the sum of its parts."""
    losses = {name: value for name, value in metrics.items() if name.startswith("val/")}
    values = {metric_names.VAL_LOSS: sum(losses.values())}
    values |= {_own_name(name): float(value) for name, value in metrics.items() if name not in losses}
    if len(losses) > 1:
        values |= {f"ultralytics/{name.replace('/', '_')}": float(value) for name, value in losses.items()}
    return values


def training_values(losses: Mapping[str, float]) -> dict[str, float]:
    """The loss of one batch, and its parts where there is more than one."""
    values = {metric_names.TRAIN_LOSS: sum(losses.values())}
    if len(losses) > 1:
        values |= {f"ultralytics/{name}": value for name, value in losses.items()}
    return values


def _own_name(name: str) -> str:
    """`metrics/mAP50-95(B)` → `ultralytics/box_map50_95`."""
    own = name.removeprefix("metrics/")
    for suffix, prefix in _PARTS.items():
        if own.endswith(suffix):
            own = prefix + own.removesuffix(suffix)
    return f"ultralytics/{own.lower().replace('-', '_')}"
