"""Values to start from, by the names that every framework has."""

from collections.abc import Mapping
from typing import Any

from trainer_kit.hyperparameters import Preset, make_presets

DEFAULT_EPOCHS: Mapping[str, int] = {"labeling": 20, "detection": 50}
"""Epochs by the name of a schema."""

_QUICK: Mapping[str, Any] = {"min_crop": 0.8}
_BEST: Mapping[str, Mapping[str, Any]] = {
    "labeling": {"label_smoothing": 0.1, "color_jitter": 0.3, "min_crop": 0.35, "weight_decay": 0.05},
    "detection": {"color_jitter": 0.3, "min_crop": 0.35},
}


def presets(schema: str) -> Mapping[str, Preset]:
    """Return the values of each preset for one schema."""
    epochs = DEFAULT_EPOCHS[schema]
    return make_presets(quick_epochs=epochs // 4, best_epochs=3 * epochs, quick=_QUICK, best=_BEST[schema])
