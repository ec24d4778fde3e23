"""`python -m ultralytics_service.catalog_check --output FOLDER`: takes a training step with every card."""

from trainer_kit.catalog_check import check_command
from trainer_kit.trainer.exiting import exit_now
from vision_contracts import ModelCard


def count_card(card: ModelCard) -> int:
    """Parameters of the card's network, built without memory for them."""
    from ultralytics_service.architectures import find_architecture
    from ultralytics_service.probe import count_parameters

    return count_parameters(find_architecture(card.model_name))


if __name__ == "__main__":
    exit_now(check_command("ultralytics_service.adapter:adapter", count_card))
