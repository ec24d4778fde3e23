"""The settings: described, bounded, and each of them with an effect."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torchvision.transforms import v2
from trainings import StartTraining, Training, get_card, state_of

from timm_service.adapter import adapter
from timm_service.build import Setup, build_setup, build_state
from timm_service.capabilities import Capabilities, ImageSizes, hyperparameters_for
from timm_service.image_size import choose_image_size
from timm_service.model import build_model
from timm_service.optimization import set_learning_rate
from timm_service.transforms import POLICIES
from trainer_kit.catalog import load_catalog

EVERYTHING = Capabilities(ImageSizes(smallest=32, step=32), drop_path=True, dropout=True)
MODELS = load_catalog(adapter.catalog_file).models
CPU = torch.device("cpu")


def build(training: Training) -> tuple[nn.Module, Setup]:
    side = choose_image_size(training.run.card, training.run.hyperparameters, training.run.dataset)
    model = build_model(training.run, side)
    return model, build_setup(training.run, model, side, CPU)


def training_steps(training: Training) -> list[Any]:
    """The random changes of a training image."""
    return list(build(training)[1].train_loader.dataset.transform.transforms)


def step_of(kind: type, attribute: str) -> Callable[[Training], Any]:
    return lambda training: [getattr(step, attribute) for step in training_steps(training) if isinstance(step, kind)]


def kinds_of_steps(training: Training) -> list[str]:
    return [type(step).__name__ for step in training_steps(training)]


def optimizer_group(name: str) -> Callable[[Training], Any]:
    def read(training: Training) -> Any:
        model, setup = build(training)
        return [group[name] for group in build_state(training.run, model, setup).optimizer.param_groups]

    return read


def last_weights(training: Training) -> list[float]:
    """Sums of all tensors after one epoch."""
    content = torch.load(training.train().checkpoints[-1], weights_only=True)
    return [tensor.double().sum().item() for tensor in content["model"].values()]


def rates_of_layers(training: Training) -> list[float]:
    optimizer = build_state(training.run, *build(training)).optimizer
    set_learning_rate(optimizer, 1.0)
    return sorted({group["lr"] for group in optimizer.param_groups})


def images_of_an_epoch(training: Training) -> list[int]:
    return sorted(index for batch in build(training)[1].train_batches for index, _ in batch)


def has_channels_last(training: Training) -> bool:
    model = build_state(training.run, *build(training)).model
    kernels = [weight for weight in model.parameters() if weight.ndim == 4 and min(weight.shape) > 1]
    return all(weight.is_contiguous(memory_format=torch.channels_last) for weight in kernels)


def learning_rates(training: Training) -> list[float | None]:
    return list(training.train().series("lr").values())


def averaged_weights(training: Training) -> bool:
    """Return whether the trained weights are kept beside others."""
    return torch.load(state_of(training.train().checkpoints[-1]), weights_only=True)["trained"] is not None


def half_precision_on_cuda(training: Training, monkeypatch: pytest.MonkeyPatch, *, emulates: bool = False) -> Any:
    """Capabilities of a card with bfloat16, or of one that only emulates it."""
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or not emulates
    )
    side = 32
    return build_setup(training.run, build_model(training.run, side), side, torch.device("cuda")).half


EFFECTS: dict[str, tuple[Any, Any, Callable[..., Any]]] = {
    "image_size": (32, 64, lambda training: next(iter(build(training)[1].train_loader))[0].shape),
    "scheduler": ("cosine", "constant", learning_rates),
    "warmup": (0.0, 0.5, learning_rates),
    "final_lr": (0.0, 0.5, learning_rates),
    "weight_decay": (0.1, 0.2, optimizer_group("weight_decay")),
    "momentum": (0.5, 0.9, optimizer_group("momentum")),
    "layer_decay": (1.0, 0.5, rates_of_layers),
    "clip_grad_norm": (0.0, 0.01, last_weights),
    "accumulation_steps": (1, 3, lambda training: build(training)[1].steps_per_epoch),
    "label_smoothing": (0.0, 0.1, lambda training: build(training)[1].loss.keywords["label_smoothing"]),
    "balance_classes": (False, True, lambda training: build(training)[1].loss.keywords["weight"] is None),
    "balanced_sampling": (False, True, images_of_an_epoch),
    "min_crop": (0.5, 1.0, step_of(v2.RandomResizedCrop, "scale")),
    "horizontal_flip": (0.0, 0.5, kinds_of_steps),
    "vertical_flip": (0.0, 0.5, kinds_of_steps),
    "rotation": (10.0, 20.0, step_of(v2.RandomRotation, "degrees")),
    "color_jitter": (0.1, 0.2, step_of(v2.ColorJitter, "brightness")),
    "auto_augment": ("randaugment", "trivialaugment", kinds_of_steps),
    "random_erasing": (0.0, 0.5, kinds_of_steps),
    "mixup": (0.0, 1.0, last_weights),
    "cutmix": (0.0, 1.0, last_weights),
    "ema_decay": (0.0, 0.9, averaged_weights),
    "freeze_backbone": (False, True, lambda training: len(build(training)[1].trained_modules[0].state_dict())),
    "mixed_precision": (False, True, half_precision_on_cuda),
    "channels_last": (False, True, has_channels_last),
    "workers": (0, 1, lambda training: build(training)[1].train_loader.num_workers),
    "drop_path_rate": (0.0, 0.3, last_weights),
    "drop_rate": (0.0, 0.3, last_weights),
}
"""Two values for each setting, and something of the trainer that must differ between them."""

SHOWN_ELSEWHERE = {"pretrained_tag": "test_weights.py"}


def test_every_setting_is_shown_to_have_an_effect() -> None:
    assert set(EFFECTS) | set(SHOWN_ELSEWHERE) == set(hyperparameters_for(EVERYTHING).model_fields)


@pytest.mark.parametrize("name", EFFECTS)
def test_a_setting_changes_what_the_trainer_does(
    training: StartTraining, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    first, second, observe = EFFECTS[name]
    arguments = (monkeypatch,) if observe is half_precision_on_cuda else ()
    params = {"epochs": 1, "optimizer": "sgd"}
    seen = [observe(training(params=params, **{name: value}), *arguments) for value in (first, second)]
    assert seen[0] != seen[1]


def test_a_card_that_only_emulates_bfloat16_computes_in_float16(
    training: StartTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert half_precision_on_cuda(training(), monkeypatch, emulates=True) is torch.float16
    assert half_precision_on_cuda(training(), monkeypatch) is torch.bfloat16


@pytest.mark.parametrize("policy", ["none", *POLICIES])
def test_every_augmentation_policy_gives_images_of_the_right_size(training: StartTraining, policy: str) -> None:
    images, _ = next(iter(build(training(auto_augment=policy))[1].train_loader))
    assert images.shape == (8, 3, 32, 32)
    assert images.isfinite().all()


def test_channels_last_trains_to_the_same_weights(training: StartTraining) -> None:
    sums = [last_weights(training(params={"epochs": 1}, channels_last=value)) for value in (False, True)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-3, abs=1e-2)


@pytest.mark.parametrize("schema", MODELS.schemas.values(), ids=list(MODELS.schemas))
def test_a_form_can_be_made_from_every_schema(schema: dict[str, Any]) -> None:
    assert schema["additionalProperties"] is False
    for name, field in schema["properties"].items():
        assert {"title", "description", "default"} <= set(field), name
        assert field["group"] in ("basic", "advanced")
        if field.get("type") in ("number", "integer"):
            assert {"maximum", "exclusiveMaximum"} & set(field), name
            assert {"minimum", "exclusiveMinimum"} & set(field), name
    assert schema["x-named-fields"]["optimizer"]["default"] == "adamw"
    assert list(schema["x-presets"]) == ["quick", "balanced", "best"]


def test_the_committed_schemas_are_those_of_the_code() -> None:
    for ref, schema in MODELS.schemas.items():
        settings = hyperparameters_for(Capabilities.from_ref(ref))
        assert set(schema["properties"]) == set(settings.model_fields)
        assert schema["properties"].items() >= settings.model_json_schema()["properties"].items()


@pytest.mark.parametrize(
    "capabilities", [EVERYTHING, Capabilities(None, drop_path=False, dropout=True), Capabilities(None, False, False)]
)
def test_capabilities_survive_their_name(capabilities: Capabilities) -> None:
    assert Capabilities.from_ref(capabilities.ref) == capabilities


def test_a_setting_that_the_architecture_lacks_is_refused() -> None:
    fixed = hyperparameters_for(Capabilities(None, drop_path=False, dropout=False))
    for name in ("image_size", "drop_path_rate", "drop_rate"):
        with pytest.raises(ValidationError, match="Extra inputs"):
            fixed(**{name: 0})


@pytest.mark.parametrize("bad", [{"image_size": 33}, {"image_size": 0}, {"mixup": float("nan")}, {"warmup": 0.6}])
def test_what_is_out_of_bounds_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        hyperparameters_for(EVERYTHING)(**bad)


def test_auto_takes_the_images_own_size_within_the_cards(training: StartTraining, shapes: Path) -> None:
    run = training("test_resnet", image_size="auto").run
    assert choose_image_size(run.card, run.hyperparameters, run.dataset) == 64
    large = run.card.model_copy(update={"input_size": 32})
    assert choose_image_size(large, run.hyperparameters, run.dataset) == 32


def test_an_architecture_of_one_size_takes_its_own(training: StartTraining) -> None:
    run = training("test_resnet").run
    card = get_card("crossvit_9_240")
    assert choose_image_size(card, adapter.hyperparameters(card)(), run.dataset) == 240
