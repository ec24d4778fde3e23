"""The network as the settings ask for it."""

import timm
import torch
from timm.layers import DropPath
from torch import nn
from trainings import StartTraining, get_card

from timm_service.adapter import adapter
from timm_service.config import Hyperparameters
from timm_service.model import model_options, shorten_batch_norm_averages


def test_a_rate_of_zero_overrides_the_architectures_own() -> None:
    card = get_card("swin_tiny_patch4_window7_224")
    own = timm.create_model(card.model_name)
    assert any(isinstance(module, DropPath) for module in own.modules())
    options = model_options(card, adapter.hyperparameters(card)(), 64)
    assert options == {"drop_path_rate": 0.0, "drop_rate": 0.0, "img_size": 64}
    ours = timm.create_model(card.model_name, **options)
    assert not any(isinstance(module, DropPath) and module.drop_prob for module in ours.modules())


def test_an_architecture_that_takes_any_size_gets_no_size_option() -> None:
    assert "img_size" not in model_options(get_card("test_resnet"), Hyperparameters(), 64)


def test_a_frozen_backbone_keeps_its_weights_and_statistics(training: StartTraining) -> None:
    first, last = (
        training(params={"epochs": epochs}, freeze_backbone=True).train().checkpoints[-1] for epochs in (1, 2)
    )
    before, after = (torch.load(path, weights_only=True)["model"] for path in (first, last))
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"fc.weight", "fc.bias"}


def test_slow_batch_norm_is_quickened_for_a_short_training_only() -> None:
    def momentum(steps: int) -> float | None:
        model = nn.Sequential(nn.BatchNorm2d(3, momentum=0.01))
        shorten_batch_norm_averages(model, steps)
        return model[0].momentum

    assert momentum(100_000) == 0.01
    assert momentum(100) == 0.1
    assert momentum(3) == 0.5
