"""`python -m huggingface_service.catalog [--force]` builds the catalogue with the installed transformers."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import transformers

from huggingface_service.adapter import adapter
from huggingface_service.architectures import architectures
from huggingface_service.cards import make_card
from huggingface_service.config import HYPERPARAMETERS, OPTIMIZERS
from huggingface_service.presets import DEFAULT_EPOCHS, presets
from trainer_kit.catalog import build_command
from trainer_kit.hyperparameters import MOST_DEVICES, json_schema
from vision_contracts import ModelCard


def build_catalog() -> tuple[Iterable[ModelCard], Mapping[str, dict[str, Any]]]:
    """All cards, and the schemas that they refer to."""
    transformers.logging.set_verbosity_error()
    return [make_card(architecture) for architecture in architectures()], make_schemas()


def make_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schemas of the catalogue."""
    return {
        name: json_schema(
            model,
            optimizers=OPTIMIZERS,
            epochs=DEFAULT_EPOCHS[name],
            max_devices=MOST_DEVICES,
            presets=presets(name),
        )
        for name, model in HYPERPARAMETERS.items()
    }


if __name__ == "__main__":
    sys.exit(build_command(adapter, build_catalog))
