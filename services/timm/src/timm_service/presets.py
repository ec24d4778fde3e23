"""Values to start from, by the names that every framework has."""

from collections.abc import Mapping

from timm_service.capabilities import Capabilities
from trainer_kit.hyperparameters import Preset

_STRONG = {
    "weight_decay": 0.05, "label_smoothing": 0.1, "auto_augment": "randaugment", "random_erasing": 0.25, "mixup": 0.2,
    "cutmix": 1.0, "ema_decay": 0.999,
}  # fmt: skip
"""Recipe parts that pay off when there are many epochs, after timm's own."""


def presets(capabilities: Capabilities) -> Mapping[str, Preset]:
    """Return the values of each preset, with settings that the architecture has only."""
    strong = _STRONG | ({"drop_path_rate": 0.1} if capabilities.drop_path else {})
    return {
        "quick": Preset("A first look at what the data gives.", {"epochs": 5}, {"min_crop": 0.8}),
        "balanced": Preset("The defaults: a good result in reasonable time."),
        "best": Preset("Long, and with strong augmentation: for the last points of quality.", {"epochs": 100}, strong),
    }
