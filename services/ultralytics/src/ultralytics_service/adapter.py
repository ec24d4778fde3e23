"""Ultralytics as the trainer kit sees it. Nothing here imports the library or torch."""

from pathlib import Path

from pydantic import BaseModel

from trainer_kit.adapter import operations_of
from ultralytics_service.config import HYPERPARAMETERS
from vision_contracts import ModelCard


class UltralyticsAdapter:
    """Satisfies `trainer_kit.adapter.Adapter`."""

    framework = "ultralytics"
    distribution = "ultralytics"
    variables = ("YOLO_*",)
    catalog_file = Path(__file__).with_name("catalog.json")
    trainer = "ultralytics_service.train:train"
    operations = operations_of("ultralytics_service.operations")

    def hyperparameters(self, card: ModelCard) -> type[BaseModel]:
        """One model of settings for each kind of head, which is what the card's schema is named after."""
        return HYPERPARAMETERS[card.hyperparameters_ref]


adapter = UltralyticsAdapter()
