"""Hugging Face transformers as the trainer kit sees it. Nothing here imports the library or torch."""

from pathlib import Path

from pydantic import BaseModel

from huggingface_service.config import HYPERPARAMETERS
from trainer_kit.adapter import operations_of
from vision_contracts import ModelCard


class HuggingFaceAdapter:
    """Satisfies `trainer_kit.adapter.Adapter`."""

    framework = "huggingface"
    distribution = "transformers"
    variables = ("TRANSFORMERS_*",)
    catalog_file = Path(__file__).with_name("catalog.json")
    trainer = "huggingface_service.train:train"
    operations = operations_of("huggingface_service.operations")

    def hyperparameters(self, card: ModelCard) -> type[BaseModel]:
        """One model of settings for detectors, and one for what labels whole images or pixels."""
        return HYPERPARAMETERS[card.hyperparameters_ref]


adapter = HuggingFaceAdapter()
