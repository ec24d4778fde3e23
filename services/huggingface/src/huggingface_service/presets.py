"""Values to start from, by the names that every framework has."""

from collections.abc import Mapping
from typing import Any

from trainer_kit.hyperparameters import Preset

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
    return {
        "quick": Preset("A first look at what the data gives.", {"epochs": epochs // 4}, _QUICK),
        "balanced": Preset("The defaults: a good result in reasonable time."),
        "best": Preset(
            "Long, and with strong augmentation: for the last points of quality.", {"epochs": 3 * epochs}, _BEST[schema]
        ),
    }
