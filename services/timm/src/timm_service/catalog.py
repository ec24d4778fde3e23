"""`python -m timm_service.catalog`: a card for every architecture of the installed timm, from the library itself."""

import math
import multiprocessing
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import timm
import torch
from timm.models import get_arch_pretrained_cfgs, model_entrypoint
from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers
from timm.optim.kron import Kron
from torch import nn

from timm_service.adapter import adapter
from timm_service.capabilities import Abilities, hyperparameters_for
from timm_service.naming import BEST_KNOWN, display_name
from timm_service.presets import presets
from timm_service.probe import Architecture, probe
from trainer_kit.catalog import build_command
from trainer_kit.hyperparameters import MOST_DEVICES, json_schema
from vision_contracts import ModelCard, TaskType

DEFAULT_OPTIMIZER = "adamw"
COMMON_OPTIMIZERS = ("adamw", "adam", "sgd", "rmsprop")
DEFAULT_EPOCHS = 20
LARGEST_BATCH = 32
TRAINING_BYTES = 12 << 30
"""What a recommended batch may take: it leaves room on a 16 GiB accelerator."""
BYTES_PER_PARAMETER = 16
"""Weight, gradient and AdamW's two averages, four bytes each."""

WIDELY_USABLE_PARAMS = 150_000_000
SIZE_TAGS = ((5e6, "tiny"), (30e6, "small"), (100e6, "medium"), (400e6, "large"), (math.inf, "huge"))


def build() -> tuple[list[ModelCard], dict[str, dict[str, Any]]]:
    """Cards of all architectures, and the schemas that they refer to."""
    architectures = list(_probe_all(timm.list_models()))
    return [make_card(architecture) for architecture in architectures], make_schemas(
        {architecture.abilities for architecture in architectures}
    )


def make_schemas(found: set[Abilities]) -> dict[str, dict[str, Any]]:
    """By the name that cards with these abilities refer to."""
    optimizers = working_optimizers()
    return {
        abilities.ref: json_schema(
            hyperparameters_for(abilities),
            optimizers=optimizers,
            optimizer=DEFAULT_OPTIMIZER,
            epochs=DEFAULT_EPOCHS,
            max_devices=MOST_DEVICES,
            presets=presets(abilities),
        )
        for abilities in sorted(found, key=lambda abilities: abilities.ref)
    }


def _probe_all(names: list[str]) -> Iterator[Architecture]:
    """In as many processes as there are cores; each holds shapes only, so that memory is no concern."""
    with multiprocessing.get_context("spawn").Pool(
        os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        for count, architecture in enumerate(pool.imap(probe, names, chunksize=8), start=1):
            if count % 100 == 0:
                sys.stderr.write(f"timm: {count} of {len(names)} architectures.\n")
            if architecture is not None:
                yield architecture


def make_card(architecture: Architecture) -> ModelCard:
    """What a user needs to know of it."""
    name = architecture.name
    tags = pretrained_tags(name)
    batch_size = recommended_batch_size(architecture)
    return ModelCard(
        framework=adapter.framework,
        model_name=name,
        display_name=display_name(name),
        description=_describe(architecture, len(tags), batch_size),
        task_types=[TaskType.IMAGE_CLASSIFICATION],
        family=family(name),
        params=architecture.params,
        gmacs=architecture.gmacs or None,
        input_size=architecture.input_size,
        pretrained_available=bool(tags),
        pretrained_tags=[tag for tag in tags if tag],
        license=_license(name, tags),
        recommended_batch_size=batch_size,
        recommended_lr=recommended_lr(architecture),
        tags=_tags(architecture),
        priority=_priority(architecture, tags),
        hyperparameters_ref=architecture.abilities.ref,
    )


def pretrained_tags(name: str) -> list[str]:
    """Tags with published weights, timm's own choice first."""
    return [config.tag for config in get_arch_pretrained_cfgs(name).values() if config.has_weights and config.tag]


def family(name: str) -> str:
    """timm's module that holds the architecture, such as `resnet`."""
    return model_entrypoint(name).__module__.rpartition(".")[2]


def training_bytes(architecture: Architecture, batch_size: int) -> int:
    """Memory for training all weights with AdamW in 32 bits at the architecture's own input size, roughly."""
    return architecture.params * BYTES_PER_PARAMETER + architecture.activation_bytes * batch_size


def recommended_batch_size(architecture: Architecture) -> int:
    """The largest power of two up to 32 that fits 12 GiB; 2 where nothing does, the least for batch norm."""
    sizes = (LARGEST_BATCH >> shift for shift in range(LARGEST_BATCH.bit_length() - 1))
    return next((size for size in sizes if training_bytes(architecture, size) <= TRAINING_BYTES), 2)


def recommended_lr(architecture: Architecture) -> float:
    """For AdamW at the recommended batch size, from random weights."""
    if architecture.params > 100e6:
        return 1e-4
    return 1e-3 if architecture.has_batch_norm else 5e-4


def working_optimizers() -> list[str]:
    """Names of timm's optimizers that take a step here, the common ones first.

    Left out are those that need a package or a device that is not there, those that need second derivatives, and
    Kron, which compiles for minutes before its first step.
    """
    names = [name for name in list_optimizers() if get_optimizer_info(name).opt_class is not Kron and _takes_step(name)]
    return [*COMMON_OPTIMIZERS, *(name for name in names if name not in COMMON_OPTIMIZERS)]


def _takes_step(optimizer: str) -> bool:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))
    try:
        stepper = create_optimizer_v2(model, optimizer, lr=1e-3, weight_decay=1e-3, momentum=0.9)
        model(torch.rand(2, 3, 8, 8)).sum().backward()
        stepper.step()
    except Exception:  # noqa: BLE001 - a missing package, a missing device, a second derivative
        return False
    return True


def _describe(architecture: Architecture, weights: int, batch_size: int) -> str:
    sets = {0: "no published weights", 1: "one set of weights"}.get(weights, f"{weights} sets of weights")
    gigabytes = max(0.1, training_bytes(architecture, batch_size) / (1 << 30))
    return (
        f"{_count(architecture.params)} parameters, made for images of {architecture.input_size} px; {sets}. "
        f"Training with AdamW in batches of {batch_size} takes about {gigabytes:.1f} GiB."
    )


def _count(number: int) -> str:
    return f"{number / 1e9:.2f} billion" if number >= 1e9 else f"{number / 1e6:.1f} million"


def _license(name: str, tags: list[str]) -> str | None:
    """Of the weights that `pretrained` takes."""
    config = timm.get_pretrained_cfg(f"{name}.{tags[0]}") if tags else None
    return config.license if config else None


def _tags(architecture: Architecture) -> list[str]:
    size = next(tag for limit, tag in SIZE_TAGS if architecture.params < limit)
    kinds = {"attention": architecture.has_attention, "convolution": architecture.has_convolutions}
    fixed = [] if architecture.abilities.sizes else ["fixed-size"]
    return [size, *(kind for kind, is_so in kinds.items() if is_so), *fixed]


def _priority(architecture: Architecture, tags: list[str]) -> int:
    if architecture.name in BEST_KNOWN:
        return 0
    return 1 if tags and architecture.params <= WIDELY_USABLE_PARAMS else 2


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(build_command(adapter, build))
