"""Values to start from, by the names that every framework has."""

from collections.abc import Mapping

from timm_service.capabilities import Capabilities
from trainer_kit.hyperparameters import Preset, make_presets

_STRONG = {
    "weight_decay": 0.05, "label_smoothing": 0.1, "auto_augment": "randaugment", "random_erasing": 0.25, "mixup": 0.2,
    "cutmix": 1.0, "ema_decay": 0.999,
}  # fmt: skip
"""Recipe parts that pay off when there are many epochs, after timm's own."""


def presets(capabilities: Capabilities) -> Mapping[str, Preset]:
    """Return the values of each preset, with settings that the architecture has only."""
    strong = _STRONG | ({"drop_path_rate": 0.1} if capabilities.drop_path else {})
    return make_presets(quick_epochs=5, best_epochs=100, quick={"min_crop": 0.8}, best=strong)
