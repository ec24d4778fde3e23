"""timm, as the kit sees it. Nothing here loads timm or torch."""

from pathlib import Path

from timm_service.capabilities import Capabilities, hyperparameters_for
from timm_service.config import Hyperparameters
from trainer_kit.adapter import operations_of
from vision_contracts import ModelCard


class TimmAdapter:
    """Satisfies `trainer_kit.adapter.Adapter`."""

    framework = "timm"
    distribution = "timm"
    variables = ()
    catalog_file = Path(__file__).with_name("catalog.json")
    trainer = "timm_service.train:train"
    operations = operations_of("timm_service.operations")

    def hyperparameters(self, card: ModelCard) -> type[Hyperparameters]:
        """The settings that this architecture has: one without stochastic depth has no `drop_path_rate`."""
        return hyperparameters_for(Capabilities.from_ref(card.hyperparameters_ref))


adapter = TimmAdapter()
