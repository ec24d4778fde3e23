"""One training with transformers, from top to bottom: data, model, Trainer, report."""

from functools import partial
from math import ceil

import torch
from transformers import set_seed

from huggingface_service.architectures import find_architecture
from huggingface_service.best_model import BestModel
from huggingface_service.checkpoint import read_resumed
from huggingface_service.config import Hyperparameters
from huggingface_service.devices import choose_device, computes_in_bfloat16, describe_versions
from huggingface_service.loading import make_loaders
from huggingface_service.loop import TaskTrainer, silence_library, trainer_arguments
from huggingface_service.optimization import make_optimizer, make_schedule, restore_optimizer
from huggingface_service.progress import Progress
from huggingface_service.sizes import choose_image_size
from huggingface_service.tasks import TASKS
from huggingface_service.weights import freeze_backbone, initial_model
from trainer_kit.trainer import TrainingRun, leave_report


def train(run: TrainingRun[Hyperparameters]) -> None:
    """Trains one attempt; see `trainer_kit.adapter.Adapter.trainer`."""
    silence_library()
    params, settings, task_type = run.spec.params, run.hyperparameters, run.spec.task_type
    device = choose_device(run)
    run.world.join(torch, device)
    set_seed(params.seed)
    resumed = read_resumed(run)

    architecture = find_architecture(run.spec.model_name)
    task = TASKS[task_type](run.dataset, settings)
    image_size = resumed.image_size if resumed else choose_image_size(run, architecture)
    training, validation = make_loaders(run, task, image_size, architecture.normalization, device=device)
    steps_per_epoch = ceil(len(training) / settings.accumulation_steps)

    config = architecture.fitted_config(task_type, class_names=task.label_names, image_size=image_size)
    model = initial_model(run, architecture, config, resumed).to(device)
    frozen = freeze_backbone(model) if settings.freeze_backbone else None
    optimizer = make_optimizer(model, params, settings)
    if resumed:
        restore_optimizer(run, optimizer, resumed)
    start = resumed.step_to_go_on_from(steps_per_epoch) if resumed else 0
    schedule = make_schedule(optimizer, settings, steps=params.epochs * steps_per_epoch, start=start)

    trainer = TaskTrainer(
        model,
        trainer_arguments(run, device),
        task=task,
        training=training,
        frozen=frozen,
        optimizers=(optimizer, schedule),
    )
    progress = Progress(run, trainer, validation, steps_per_epoch, image_size, resumed)
    trainer.add_callback(progress)
    run.start(
        device=str(device),
        num_classes=run.dataset.num_classes,
        steps_per_epoch=steps_per_epoch,
        resume_step=start,
        versions=describe_versions(),
    )
    run.log(
        f"Training {run.spec.model_name} ({model.num_parameters():,} weights) on {len(training.dataset)} images of "
        f"{image_size} px, {steps_per_epoch} steps an epoch, {run.batches_in_words}, on {device}"
        f"{' in bfloat16' if computes_in_bfloat16(run, device) else ''}."
    )
    progress.catch_up(start)
    trainer.train_from(start)
    if run.world.is_main:
        leave_report(run, partial(BestModel, run, trainer, validation, image_size))
    run.finish()
