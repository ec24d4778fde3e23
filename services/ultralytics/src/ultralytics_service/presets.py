"""Values to start from, for each kind of network."""

from collections.abc import Mapping

from trainer_kit.hyperparameters import Preset, make_presets
from ultralytics_service.kinds import Kind

_LONG = {"scheduler": "cosine", "patience": 50}
_AUGMENTED = {"mixup": 0.1, "close_mosaic": 15}
_PASTED = _AUGMENTED | {"copy_paste": 0.1}
_BEST = {
    Kind.CLASSIFY: {"auto_augment": "randaugment", "random_erasing": 0.25, "drop_rate": 0.1},
    Kind.SEGMENT: _PASTED,
    Kind.OBB: _PASTED,
    Kind.SEMANTIC: _PASTED,
}


def presets(kind: Kind) -> Mapping[str, Preset]:
    """Return the values of each preset, by the names that every framework has."""
    quick_epochs, best_epochs = (15, 120) if kind is Kind.CLASSIFY else (20, 200)
    # A mosaic shows four images at once: few epochs are better spent on whole ones.
    plain = {} if kind is Kind.CLASSIFY else {"mosaic": 0.0}
    best = _LONG | _BEST.get(kind, _AUGMENTED)
    return make_presets(quick_epochs=quick_epochs, best_epochs=best_epochs, quick=plain, best=best)
