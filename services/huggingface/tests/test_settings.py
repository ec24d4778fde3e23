"""The settings: described, bounded, and each of them seen in what is built."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from attempts import CARDS
from conftest import StartTraining
from torchvision.transforms import v2

from huggingface_service.adapter import adapter
from huggingface_service.architectures import find_architecture
from huggingface_service.catalog import make_schemas
from huggingface_service.config import HYPERPARAMETERS
from huggingface_service.data import make_loaders
from huggingface_service.devices import computes_in_bfloat16
from huggingface_service.image_size import choose_image_size
from huggingface_service.model import build_model, freeze_backbone
from huggingface_service.optimization import make_optimizer, make_schedule
from huggingface_service.tasks import TASKS
from huggingface_service.trainer import trainer_arguments
from huggingface_service.transforms import training_transform
from trainer_kit.catalog import load_catalog
from vision_contracts import TaskType

CPU = torch.device("cpu")
STEPS = 20


@dataclass(frozen=True)
class Built:
    """Parts of a training, up to its first step."""

    size: int
    transform: v2.Transform
    loader: Any
    arguments: Any
    optimizer: torch.optim.Optimizer
    rates: list[float]
    is_half_on_cuda: bool


def build(run: Any) -> Built:
    settings, task_type = run.hyperparameters, run.spec.task_type
    architecture = find_architecture(run.spec.model_name)
    task = TASKS[task_type](run.dataset, settings)
    size = choose_image_size(run, architecture)
    model = build_model(architecture.fitted_config(task_type, class_names=task.label_names, image_size=size), task_type)
    if settings.freeze_backbone:
        freeze_backbone(model)
    optimizer = make_optimizer(model, run.spec.params, settings)
    schedule = make_schedule(optimizer, settings, steps=STEPS, start=0)
    return Built(
        size,
        training_transform(settings, size, architecture.normalization),
        make_loaders(run, task, size, architecture.normalization, device=CPU)[0],
        trainer_arguments(run, CPU),
        optimizer,
        [schedule.lr_lambdas[0](step) for step in range(STEPS + 1)],
        computes_in_bfloat16(run, torch.device("cuda")),
    )


def of_step(kind: type, attribute: str) -> Callable[[Built], Any]:
    """An attribute of the transform of that class; None if there is none."""
    return lambda built: next((getattr(s, attribute) for s in built.transform.transforms if isinstance(s, kind)), None)


def schedule_name(built: Built) -> str:
    if built.rates[-1] == 1:
        return "constant"
    falling = built.rates[built.rates.index(1.0) :]
    falls = [before - after for before, after in pairwise(falling)]
    return "linear" if falls == pytest.approx([falls[0]] * len(falls)) else "cosine"


def is_frozen(built: Built) -> bool:
    return sum(len(group["params"]) for group in built.optimizer.param_groups) < 20


def slowest_share(built: Built) -> float:
    rates = [group["initial_lr"] for group in built.optimizer.param_groups]
    return min(rates) / max(rates)


SEEN: dict[str, tuple[Any, Callable[[Built], Any]]] = {
    "image_size": (96, lambda built: built.size),
    "scheduler": ("linear", schedule_name),
    "warmup": (0.25, lambda built: built.rates.index(1.0) / STEPS),
    "final_lr": (0.25, lambda built: built.rates[-1]),
    "weight_decay": (0.3, lambda built: max(group["weight_decay"] for group in built.optimizer.param_groups)),
    "momentum": (0.4, lambda built: built.optimizer.param_groups[0]["momentum"]),
    "clip_grad_norm": (0.7, lambda built: built.arguments.max_grad_norm),
    "accumulation_steps": (3, lambda built: built.arguments.gradient_accumulation_steps),
    "min_crop": (0.2, lambda built: of_step(v2.RandomResizedCrop, "scale")(built)[0]),
    "horizontal_flip": (0.3, of_step(v2.RandomHorizontalFlip, "p")),
    "vertical_flip": (0.3, of_step(v2.RandomVerticalFlip, "p")),
    "rotation": (30.0, lambda built: (of_step(v2.RandomRotation, "degrees")(built) or [0, 0])[1]),
    "color_jitter": (0.3, lambda built: round(of_step(v2.ColorJitter, "brightness")(built)[1] - 1, 6)),
    "freeze_backbone": (True, is_frozen),
    "mixed_precision": (False, lambda built: built.is_half_on_cuda),
    "workers": (1, lambda built: built.loader.num_workers),
    "label_smoothing": (0.2, lambda built: built.loader.collate_fn.__self__.label_smoothing),
    "backbone_lr": (0.5, slowest_share),
}
"""Another value than the default for each setting, and where it is found again."""

MODELS = {"labeling": "google/mobilenet_v2_0.35_96", "detection": "hustvl/yolos-tiny"}


def test_every_setting_is_looked_for() -> None:
    assert set(SEEN) == set().union(*(settings.model_fields for settings in HYPERPARAMETERS.values()))


@pytest.mark.parametrize("schema", HYPERPARAMETERS)
def test_every_setting_is_found_again_in_what_is_built(
    attempt: StartTraining, colors: Path, squares: Path, monkeypatch: pytest.MonkeyPatch, schema: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    is_detector = schema == "detection"
    changed = {name: SEEN[name][0] for name in HYPERPARAMETERS[schema].model_fields}
    alone = {"freeze_backbone": changed.pop("freeze_backbone")}  # this value leaves other settings nothing to act on

    def see(hyperparameters: dict[str, Any], name: str) -> dict[str, Any]:
        run = attempt(
            name,
            data=squares if is_detector else colors,
            model_name=MODELS[schema],
            task_type=TaskType.OBJECT_DETECTION if is_detector else TaskType.IMAGE_CLASSIFICATION,
            params={"optimizer": "sgd"},
            hyperparameters=hyperparameters,
        ).make_run()
        built = build(run)
        return {setting: SEEN[setting][1](built) for setting in HYPERPARAMETERS[schema].model_fields}

    before, after = see({}, "before"), see(changed, "after")
    for name, value in changed.items():
        assert before[name] != after[name], name
        assert after[name] == (pytest.approx(value) if isinstance(value, float) else value), name
    assert (before["freeze_backbone"], see(alone, "alone")["freeze_backbone"]) == (False, True)


@pytest.mark.parametrize("schema", HYPERPARAMETERS)
def test_a_form_can_be_made_from_every_schema(schema: str) -> None:
    described = make_schemas()[schema]
    assert described["additionalProperties"] is False
    for name, field in described["properties"].items():
        assert {"title", "description", "default"} <= set(field), name
        assert field["group"] in ("basic", "advanced")
        if field.get("type") in ("number", "integer"):
            assert {"maximum", "exclusiveMaximum"} & set(field), name
            assert {"minimum", "exclusiveMinimum"} & set(field), name
    assert list(described["x-presets"]) == ["quick", "balanced", "best"]


def test_the_committed_schemas_are_those_of_the_code() -> None:
    assert load_catalog(adapter.catalog_file).models.schemas == make_schemas()
    assert set(MODELS.values()) <= set(CARDS)
