"""One timm training, from top to bottom: data, model, a loop of training and validation, report."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from timm_service.best_model import BestModel
from timm_service.build import Run, Setup, build
from timm_service.checkpoint import (
    TrainingState,
    restore_random_state,
    restore_training,
    save_checkpoint,
    seed_everything,
)
from timm_service.data import Batch, epoch_seed
from timm_service.devices import choose_device, library_versions
from timm_service.log_messages import log_end, log_epoch, log_start
from timm_service.model import set_training_mode
from timm_service.optimization import learning_rate, set_learning_rate
from timm_service.parallel import keep_gradients, mean_of
from timm_service.validation import validate
from trainer_kit.evaluation import ClassificationEvaluator
from trainer_kit.trainer import STATE_IS_TRIMMED, Stopped, batch_norm_errors, write_final_report
from vision_contracts import LogLevel, metric_names


def train(run: Run) -> None:
    """Train a classifier on `run.dataset`; `trainer_kit.adapter.Adapter.trainer` says how it may end."""
    device = choose_device(run)
    run.world.join(torch, device)
    seed_everything(run.spec.params.seed)
    setup, state = build(run, device)
    random_state = resume(run, state, setup) if run.resume_from else None
    run.start(
        device=str(device),
        num_classes=run.dataset.num_classes,
        steps_per_epoch=setup.steps_per_epoch,
        resume_step=state.step,
        versions=library_versions(),
    )
    log_start(run, state, setup)
    for _ in range(state.epoch, run.spec.params.epochs):
        started_at = time.monotonic()
        train_loss = train_epoch(run, state, setup, random_state)
        if run.world.is_main:
            complete_epoch(run, state, setup, train_loss, started_at)
        else:
            state.epoch += 1
    if run.world.is_main:
        write_final_report(run, partial(BestModel, run, state, setup))
        log_end(run)
    run.finish()


def resume(run: Run, state: TrainingState, setup: Setup) -> dict[str, Any] | None:
    """Restore the checkpoint to resume from, and return the random state to resume with within an epoch."""
    assert run.resume_from is not None  # noqa: S101 - the caller has checked it
    random_state = restore_training(run.resume_from, run.resume_state, state, run.history, setup.facts)
    if random_state is None:
        run.log(STATE_IS_TRIMMED, LogLevel.WARNING)
    return random_state


def train_epoch(run: Run, state: TrainingState, setup: Setup, random_state: dict[str, Any] | None) -> float:
    """Train the rest of the epoch that `state` is in, and return its mean training loss."""
    params, settings = run.spec.params, run.hyperparameters
    total_steps = params.epochs * setup.steps_per_epoch
    steps_done = begin_epoch(run, state, setup, random_state)
    total_loss = torch.zeros((), device=setup.device)
    for batches in group_batches(iter(setup.train_loader), settings.accumulation_steps):
        rate = learning_rate(state.step + 1, total_steps, params.learning_rate, settings)
        set_learning_rate(state.optimizer, rate)
        seed_process(run, state)
        loss = take_step(state, setup, batches, settings.clip_grad_norm)
        total_loss += loss
        if run.should_report(state.step):
            mean_loss = mean_of(loss, run.world).item()
            run.report_step(state.step, {metric_names.TRAIN_LOSS: mean_loss, metric_names.LEARNING_RATE: rate})
        stop_if_asked(run, state, setup)
    return mean_of(total_loss, run.world).item() / max(1, setup.steps_per_epoch - steps_done)


def begin_epoch(run: Run, state: TrainingState, setup: Setup, random_state: dict[str, Any] | None) -> int:
    """Makes the epoch the same whether training has just come to it, or was resumed at it or within it.

    Returns how many of its steps are done.
    """
    steps_done = state.step - state.epoch * setup.steps_per_epoch
    setup.train_batches.begin(state.epoch, skip=steps_done * run.hyperparameters.accumulation_steps)
    seed_everything(epoch_seed(run.spec.params.seed, state.epoch))
    if steps_done and random_state:
        restore_random_state(random_state)
    set_training_mode(state.model, setup.trained_modules)
    return steps_done


def seed_process(run: Run, state: TrainingState) -> None:
    """Seed each of several processes by the number of the step, so that no random state need be kept."""
    if run.world.size > 1:
        seed_everything(epoch_seed(run.spec.params.seed, state.step * run.world.size + run.world.rank))


def group_batches(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """Yield up to `size` batches together."""
    while found := [batch for _, batch in zip(range(size), batches, strict=False)]:
        yield found


def take_step(state: TrainingState, setup: Setup, batches: list[Batch], clip_grad_norm: float) -> torch.Tensor:
    """One optimizer step on the mean loss of `batches`, which is returned without waiting for the device."""
    mean_loss = torch.zeros((), device=setup.device)
    for number, batch in enumerate(batches, start=1):
        with keep_gradients(state.trained, to_itself=number < len(batches)):
            loss = training_loss(state, setup, batch) / len(batches)
            state.scaler.scale(loss).backward()
        mean_loss += loss.detach()
    if clip_grad_norm:
        state.scaler.unscale_(state.optimizer)
        nn.utils.clip_grad_norm_(state.model.parameters(), clip_grad_norm)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad()
    state.step += 1
    if state.ema:
        state.ema.update(state.model, step=state.step)
    return mean_loss


def training_loss(state: TrainingState, setup: Setup, batch: Batch) -> torch.Tensor:
    """Return the loss of one batch, with mixed images where the job asks for them."""
    images, targets = (tensor.to(setup.device, non_blocking=True) for tensor in batch)
    if setup.mix:
        images, targets = setup.mix(images, targets)
    with batch_norm_errors(), setup.autocast():
        return setup.loss(state.trained(images.contiguous(memory_format=setup.memory_format)), targets)


def complete_epoch(run: Run, state: TrainingState, setup: Setup, train_loss: float, started_at: float) -> None:
    """Validate, report and save the epoch that was just trained, in the first of several processes."""
    loss, evaluator = validate_epoch(run, state, setup)
    seconds = time.monotonic() - started_at
    state.epoch += 1
    values = {metric_names.VAL_LOSS: loss, metric_names.EPOCH_SECONDS: seconds}
    is_best = run.report_epoch(state.epoch, values, evaluator)
    log_epoch(run, train_loss, is_best=is_best)
    save(run, state, setup)


def validate_epoch(run: Run, state: TrainingState, setup: Setup) -> tuple[float, ClassificationEvaluator]:
    """Loss and predictions."""
    try:
        return validate(run, state.evaluated_model().eval(), setup, setup.val_loader)
    except Stopped:
        save(run, state, setup)
        raise


def save(run: Run, state: TrainingState, setup: Setup) -> None:
    """Write a checkpoint and hand it over."""
    weights, rest = save_checkpoint(run.folder, state, run.history, setup.facts)
    run.save_checkpoint(weights, step=state.step, epoch=state.epoch, state=rest)


def stop_if_asked(run: Run, state: TrainingState, setup: Setup) -> None:
    """Save this very step and raise Stopped if a stop is requested, so that nothing is trained twice."""
    if run.stop_requested():
        save(run, state, setup)
        raise Stopped
