"""All that one training works with, built from its data set, its model and the checkpoint to resume from."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch.utils.data import DataLoader

from huggingface_service.architectures import find_architecture
from huggingface_service.callback import JobCallback
from huggingface_service.checkpoint import load_initial_checkpoint, load_resumed_checkpoint
from huggingface_service.config import Hyperparameters
from huggingface_service.data import make_loaders
from huggingface_service.image_size import choose_image_size
from huggingface_service.model import freeze_backbone
from huggingface_service.optimization import make_optimizer, make_schedule, restore_optimizer
from huggingface_service.tasks import TASKS
from huggingface_service.trainer import TaskTrainer, trainer_arguments
from huggingface_service.weights import initial_model
from trainer_kit.trainer import TrainingRun


@dataclass(frozen=True)
class Setup:
    """The library's Trainer with all that it needs, at the step where it begins."""

    trainer: TaskTrainer
    callback: JobCallback
    training: DataLoader[Any]
    validation: DataLoader[Any]
    image_size: int
    steps_per_epoch: int
    start: int
    """Optimizer steps that earlier attempts have done."""


def build(run: TrainingRun[Hyperparameters], device: torch.device) -> Setup:
    """Build the library's Trainer and all that it needs. Raises TrainingError for data and settings that do not fit."""
    params, settings, task_type = run.spec.params, run.hyperparameters, run.spec.task_type
    resumed = load_resumed_checkpoint(run)
    initial = None if resumed else load_initial_checkpoint(run)

    architecture = find_architecture(run.spec.model_name)
    task = TASKS[task_type](run.dataset, settings)
    image_size = resumed.image_size if resumed else choose_image_size(run, architecture, initial)
    training, validation = make_loaders(run, task, image_size, architecture.normalization, device=device)
    steps_per_epoch = ceil(len(training) / settings.accumulation_steps)

    config = architecture.fitted_config(task_type, class_names=task.label_names, image_size=image_size)
    model = initial_model(run, architecture, config, resumed=resumed, initial=initial)
    model.to(device)  # pyright: ignore[reportArgumentType] - a decorator of the library hides `self`
    frozen = freeze_backbone(model) if settings.freeze_backbone else None
    optimizer = make_optimizer(model, params, settings)
    if resumed:
        restore_optimizer(run, optimizer, resumed)
    start = resumed.resume_step(steps_per_epoch) if resumed else 0
    schedule = make_schedule(optimizer, settings, steps=params.epochs * steps_per_epoch, start=start)

    arguments = trainer_arguments(run, device)
    trainer = TaskTrainer(
        model, arguments, task=task, training=training, frozen=frozen, optimizers=(optimizer, schedule)
    )
    callback = JobCallback(run, trainer, validation, steps_per_epoch, image_size, resumed)
    trainer.add_callback(callback)
    return Setup(trainer, callback, training, validation, image_size, steps_per_epoch, start)
