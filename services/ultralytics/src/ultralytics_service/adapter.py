"""Ultralytics as the trainer kit sees it. Nothing here imports the library or torch."""

from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel

from ultralytics_service.config import HYPERPARAMETERS
from vision_contracts import JobKind, ModelCard


class UltralyticsAdapter:
    """Satisfies `trainer_kit.adapter.Adapter`."""

    framework = "ultralytics"
    distribution = "ultralytics"
    catalog_file = Path(__file__).with_name("catalog.json")
    trainer = "ultralytics_service.train:train"
    operations = MappingProxyType(
        {
            JobKind.PREDICT: "ultralytics_service.operations:predict",
            JobKind.EXPORT: "ultralytics_service.operations:export",
            JobKind.EVALUATE: "ultralytics_service.operations:evaluate",
        }
    )

    def hyperparameters(self, card: ModelCard) -> type[BaseModel]:
        """One model of settings for each kind of head, which is what the card's schema is named after."""
        return HYPERPARAMETERS[card.hyperparameters_ref]


adapter = UltralyticsAdapter()
