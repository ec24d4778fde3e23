"""`python -m timm_service.catalog_check --output FOLDER`: takes a training step with every card of the catalogue."""

from trainer_kit.catalog_check import check_command
from trainer_kit.trainer.exiting import exit_now
from vision_contracts import ModelCard


def count_card(card: ModelCard) -> int:
    """Count the parameters of the card's network, built without memory for them."""
    from timm_service.probe import count_parameters

    return count_parameters(card.model_name)


if __name__ == "__main__":
    exit_now(check_command("timm_service.adapter:adapter", count_card))
