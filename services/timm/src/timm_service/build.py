"""A training before its first step: model, optimizer, device, batches, loss, and the facts for its checkpoints."""

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from timm.data.config import resolve_model_data_config
from timm.utils.model_ema import ModelEmaV3
from torch import nn
from torch.utils.data import DataLoader

from data_kit import Split
from timm_service.checkpoint import TrainingState
from timm_service.config import Hyperparameters
from timm_service.data import Batches, Images, fits_shared_memory, make_loader
from timm_service.devices import half_precision, library_versions
from timm_service.image_size import choose_image_size
from timm_service.model import build_model, freeze_backbone, model_options, shorten_batch_norm_averages
from timm_service.optimization import Loss, Mix, make_loss, make_mix, make_optimizer, sample_weights
from timm_service.parallel import parallelize
from timm_service.transforms import training_transform, validation_transform
from trainer_kit.trainer import TrainingRun
from trainer_kit.trainer.workers import choose_workers
from vision_contracts import LogLevel

Run = TrainingRun[Hyperparameters]


@dataclass(frozen=True)
class Setup:
    """Parts of a training that stay the same from step to step."""

    device: torch.device
    train_loader: "DataLoader[Any]"
    train_batches: Batches
    val_loader: "DataLoader[Any]"
    loss: Loss
    mix: Mix | None
    trained_modules: list[nn.Module]
    """Modules in training mode: the whole network, or its classifier alone."""
    half: torch.dtype | None
    """Data type of mixed precision; None computes in 32 bits."""
    memory_format: torch.memory_format
    """Memory format of images and convolutions."""
    steps_per_epoch: int
    facts: dict[str, Any]
    """Facts that a checkpoint holds beside the weights."""

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute in 16 bits where that is safe and requested."""
        return torch.autocast(self.device.type, dtype=self.half, enabled=self.half is not None)


def build(run: Run, device: torch.device) -> tuple[Setup, TrainingState]:
    """Build the model and everything that trains it, before the first step or the checkpoint to resume from."""
    side = choose_image_size(run.card, run.hyperparameters, run.dataset)
    model = build_model(run, side).to(device)
    setup = build_setup(run, model, side, device)
    return setup, build_state(run, model, setup)


def build_setup(run: Run, model: nn.Module, side: int, device: torch.device) -> Setup:
    """Build all but the state, for images of `side` pixels."""
    settings, params, dataset = run.hyperparameters, run.spec.params, run.dataset
    data_config = resolve_model_data_config(model, args={"img_size": side})
    train_images = Images(dataset, Split.TRAIN, training_transform(settings, data_config))
    val_images = Images(dataset, Split.VAL, validation_transform(data_config))
    train_batches = Batches(
        len(train_images),
        params.batch_size,
        seed=params.seed,
        shuffle=True,
        weights=sample_weights(train_images.samples, dataset.num_classes) if settings.balanced_sampling else None,
        rank=run.world.rank,
        world_size=run.world.size,
    )
    val_batches = Batches(len(val_images), params.batch_size, seed=params.seed, shuffle=False)
    workers = _count_workers(run, side, device)
    steps_per_epoch = math.ceil(len(train_batches) / settings.accumulation_steps)
    shorten_batch_norm_averages(model, steps_per_epoch * params.epochs)
    return Setup(
        device=device,
        train_loader=make_loader(train_images, train_batches, device=device, workers=workers),
        train_batches=train_batches,
        val_loader=make_loader(val_images, val_batches, device=device, workers=workers),
        loss=make_loss(settings, dataset[Split.TRAIN], dataset.num_classes, device),
        mix=make_mix(settings, dataset.num_classes),
        trained_modules=freeze_backbone(model) if settings.freeze_backbone else [model],
        half=half_precision(device) if settings.mixed_precision else None,
        memory_format=torch.channels_last if settings.channels_last else torch.contiguous_format,
        steps_per_epoch=steps_per_epoch,
        facts=_facts(run, side, data_config, steps_per_epoch),
    )


def build_state(run: Run, model: nn.Module, setup: Setup) -> TrainingState:
    """Build the state of a training that has not begun."""
    settings = run.hyperparameters
    model = model.to(memory_format=setup.memory_format)
    return TrainingState(
        model=model,
        trained=parallelize(model, run.world),
        optimizer=make_optimizer(model, run.spec.params, settings),
        scaler=torch.amp.GradScaler(setup.device.type, enabled=setup.half == torch.float16),
        ema=ModelEmaV3(model, decay=settings.ema_decay, use_warmup=True) if settings.ema_decay else None,
    )


def _count_workers(run: Run, side: int, device: torch.device) -> int:
    workers = choose_workers(run.hyperparameters.workers, device.type, processes=run.world.size)
    if fits_shared_memory(workers * run.world.size, batch_bytes=run.spec.params.batch_size * 3 * side * side * 4):
        return workers
    run.log("Images are read without workers: /dev/shm is too small for them (`shm_size: 1gb`).", LogLevel.WARNING)
    return 0


def _facts(run: Run, side: int, data_config: dict[str, Any], steps_per_epoch: int) -> dict[str, Any]:
    return {
        "model_name": run.card.model_name,
        "model_options": model_options(run.card, run.hyperparameters, side),
        "class_names": list(run.dataset.class_names),
        "image_size": side,
        "data_config": data_config,
        "optimizer_name": run.spec.params.optimizer,
        "steps_per_epoch": steps_per_epoch,
        "versions": library_versions(),
    }
