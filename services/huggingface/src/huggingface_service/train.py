"""One training with transformers, from top to bottom: data and model, the library's Trainer, report."""

from functools import partial

import torch
from transformers import set_seed

from huggingface_service.best_model import BestModel
from huggingface_service.build import build
from huggingface_service.config import Hyperparameters
from huggingface_service.data import images_of
from huggingface_service.devices import choose_device, library_versions
from huggingface_service.log_messages import log_start
from huggingface_service.trainer import silence_library
from trainer_kit.trainer import TrainingRun, write_final_report


def train(run: TrainingRun[Hyperparameters]) -> None:
    """Train one attempt; `trainer_kit.adapter.Adapter.trainer` says how it may end."""
    silence_library()
    device = choose_device(run)
    run.world.join(torch, device)
    set_seed(run.spec.params.seed)
    setup = build(run, device)
    run.start(
        device=str(device),
        num_classes=run.dataset.num_classes,
        steps_per_epoch=setup.steps_per_epoch,
        resume_step=setup.start,
        versions=library_versions(),
    )
    log_start(
        run,
        setup.trainer,
        images=len(images_of(setup.training)),
        image_size=setup.image_size,
        steps_per_epoch=setup.steps_per_epoch,
        device=device,
    )
    setup.callback.catch_up(setup.start)
    setup.trainer.train_from(setup.start)
    if run.world.is_main:
        write_final_report(run, partial(BestModel, run, setup.trainer, setup.validation, setup.image_size))
    run.finish()
