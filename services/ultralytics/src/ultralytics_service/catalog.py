"""`python -m ultralytics_service.catalog`: builds the catalogue from what the installed library ships."""

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from trainer_kit.catalog import build_command
from trainer_kit.hyperparameters import MOST_DEVICES, json_schema
from ultralytics_service.adapter import adapter
from ultralytics_service.config import HYPERPARAMETERS
from ultralytics_service.kinds import Kind
from ultralytics_service.presets import presets
from vision_contracts import ModelCard

OPTIMIZERS = ("adamw", "sgd", "adam", "rmsprop", "adamax", "nadam", "radam", "musgd")

_EPOCHS = {Kind.CLASSIFY: 40}
"""Default epochs. From scratch on a few hundred images, classifiers only begin to learn after 20 (measured: 0.58
there, 0.93 after 40).
Detectors learn nothing that validation can see in their first hundred steps: 50 epochs for all others.
"""


def build_catalog() -> tuple[Iterable[ModelCard], Mapping[str, dict[str, Any]]]:
    """Return all cards, and a schema for each kind of network."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("YOLO_CONFIG_DIR", home)  # the library writes a file of settings while it is imported
        from ultralytics_service.cards import make_cards

        cards = make_cards()
    return cards, make_schemas()


def make_schemas() -> dict[str, dict[str, Any]]:
    """Return a schema for each kind, which is what a card's `hyperparameters_ref` names."""
    return {
        kind: json_schema(
            model,
            optimizers=OPTIMIZERS,
            epochs=_EPOCHS.get(Kind(kind), 50),
            batch_size=16,
            max_devices=MOST_DEVICES,
            presets=presets(Kind(kind)),
        )
        for kind, model in HYPERPARAMETERS.items()
    }


if __name__ == "__main__":
    sys.exit(build_command(adapter, build_catalog))
