"""`python -m timm_service.catalog`: a card for every architecture of the installed timm, from the library itself."""

import multiprocessing
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import timm
import torch
from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers
from timm.optim.kron import Kron
from torch import nn

from timm_service.adapter import adapter
from timm_service.architectures import Architecture
from timm_service.capabilities import Capabilities, hyperparameters_for
from timm_service.cards import make_card
from timm_service.presets import presets
from timm_service.probe import probe
from trainer_kit.catalog import build_command
from trainer_kit.hyperparameters import MOST_DEVICES, json_schema
from vision_contracts import ModelCard

DEFAULT_OPTIMIZER = "adamw"
COMMON_OPTIMIZERS = ("adamw", "adam", "sgd", "rmsprop")
DEFAULT_EPOCHS = 20


def build_catalog() -> tuple[list[ModelCard], dict[str, dict[str, Any]]]:
    """Return the cards of all architectures, and the schemas that they refer to."""
    architectures = list(_probe_all(timm.list_models()))
    return [make_card(architecture) for architecture in architectures], make_schemas(
        {architecture.capabilities for architecture in architectures}
    )


def make_schemas(found: set[Capabilities]) -> dict[str, dict[str, Any]]:
    """Return a schema for each set of capabilities, by the name that cards refer to."""
    optimizers = working_optimizers()
    return {
        capabilities.ref: json_schema(
            hyperparameters_for(capabilities),
            optimizers=optimizers,
            optimizer=DEFAULT_OPTIMIZER,
            epochs=DEFAULT_EPOCHS,
            max_devices=MOST_DEVICES,
            presets=presets(capabilities),
        )
        for capabilities in sorted(found, key=lambda capabilities: capabilities.ref)
    }


def _probe_all(names: list[str]) -> Iterator[Architecture]:
    """Probe in as many processes as there are cores; each holds shapes only, so that memory is no concern."""
    with multiprocessing.get_context("spawn").Pool(
        os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        for count, architecture in enumerate(pool.imap(probe, names, chunksize=8), start=1):
            if count % 100 == 0:
                sys.stderr.write(f"timm: {count} of {len(names)} architectures.\n")
            if architecture is not None:
                yield architecture


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


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(build_command(adapter, build_catalog))
