"""One training with transformers, from top to bottom: data and model, the library's Trainer, report."""

from functools import partial

import torch
from transformers import set_seed

from huggingface_service.best_model import BestModel
from huggingface_service.build import Setup, build_setup
from huggingface_service.config import Hyperparameters
from huggingface_service.devices import choose_device, computes_in_bfloat16, describe_versions
from huggingface_service.trainer import silence_library
from trainer_kit.trainer import TrainingRun, write_final_report


def train(run: TrainingRun[Hyperparameters]) -> None:
    """Trains one attempt; see `trainer_kit.adapter.Adapter.trainer`."""
    silence_library()
    device = choose_device(run)
    run.world.join(torch, device)
    set_seed(run.spec.params.seed)
    setup = build_setup(run, device)
    run.start(
        device=str(device),
        num_classes=run.dataset.num_classes,
        steps_per_epoch=setup.steps_per_epoch,
        resume_step=setup.start,
        versions=describe_versions(),
    )
    tell_beginning(run, setup, device)
    setup.progress.catch_up(setup.start)
    setup.trainer.train_from(setup.start)
    if run.world.is_main:
        write_final_report(run, partial(BestModel, run, setup.trainer, setup.validation, setup.image_size))
    run.finish()


def tell_beginning(run: TrainingRun[Hyperparameters], setup: Setup, device: torch.device) -> None:
    """A line of the log."""
    run.log(
        f"Training {run.spec.model_name} ({setup.trainer.model.num_parameters():,} weights) on "
        f"{len(setup.training.dataset)} images of {setup.image_size} px, {setup.steps_per_epoch} steps an epoch, "
        f"{run.batch_description}, on {device}{' in bfloat16' if computes_in_bfloat16(run, device) else ''}."
    )
