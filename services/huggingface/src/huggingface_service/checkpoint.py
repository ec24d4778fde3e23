"""The file that a training writes after every epoch, and resumes from."""

import pickle
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer_kit.files import replacing
from trainer_kit.trainer import STATE_IS_TRIMMED, TrainingError, TrainingRun
from vision_contracts import EndReason, LogLevel

FORMAT = "huggingface-service/1"


@dataclass
class Checkpoint:
    """State that the rest of a training depends on.

    Random numbers and the learning rate need no state of their own: they depend on the job and the number of the step.
    """

    model: dict[str, Tensor]
    model_name: str
    task_type: str
    class_names: list[str]
    image_size: int
    config: str
    """The model's configuration as JSON, so that the file can be used without the service."""
    epoch: int
    """Epochs completed and validated."""
    step: int
    """Optimizer steps done; between two epochs' ends if the training was stopped there."""
    optimizer_name: str
    history: dict[int, dict[str, float]]
    """Metrics of every validation so far, by epoch."""
    steps_per_epoch: int = 0
    """0 in a checkpoint of before this was kept."""
    optimizer: dict[str, Any] | None = None
    """Optimizer's state, which is in a file of its own; None if it is not needed or trimmed."""
    format: str = FORMAT

    def resume_step(self, steps_per_epoch: int) -> int:
        """Return the step to resume from: the epoch's first where batches or number of devices have changed."""
        is_same = self.steps_per_epoch in (0, steps_per_epoch)
        return self.step if is_same else self.epoch * steps_per_epoch


def save_checkpoint(checkpoint: Checkpoint, path: Path, state_path: Path) -> None:
    """Write a checkpoint, replacing each file in one step: a kill leaves the old one or the new one.

    The optimizer's state is in the second file, since the first is all that others than a resume need.
    """
    content = {item.name: getattr(checkpoint, item.name) for item in fields(checkpoint)}
    state = {"format": FORMAT, "optimizer": content.pop("optimizer")}
    for target, part in ((path, content), (state_path, state)):
        with replacing(target) as file:
            torch.save(part, file)


def load_checkpoint(path: Path, state_path: Path | None = None) -> Checkpoint:
    """Load tensors and plain values only, so that a foreign file cannot run code.

    Raises ValueError for a file that this service did not write.
    """
    return Checkpoint(**(_load(path) | (_load(state_path) if state_path is not None else {})))


def _load(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"it is not a checkpoint file ({type(error).__name__}).") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError("it was not written by this training service. Choose a checkpoint of a huggingface job.")
    return content


def load_initial_checkpoint(run: TrainingRun[Any]) -> Checkpoint | None:
    """Load the checkpoint of another job whose weights this training begins with, if any."""
    if run.initial_checkpoint is None:
        return None
    try:
        return load_checkpoint(run.initial_checkpoint)
    except ValueError as error:
        message = f"The initial checkpoint cannot be used: {error}. Choose another one."
        raise TrainingError(EndReason.WEIGHTS_UNAVAILABLE, message) from error


def load_resumed_checkpoint(run: TrainingRun[Any]) -> Checkpoint | None:
    """Load the checkpoint that this attempt resumes from, if any, and restore the run's history from it."""
    if run.resume_from is None:
        return None
    try:
        resumed = load_checkpoint(run.resume_from, run.resume_state)
    except ValueError as error:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE, f"The checkpoint is unusable: {error}. Retry from the beginning."
        ) from error
    if resumed.model_name != run.spec.model_name or resumed.task_type != run.spec.task_type:
        raise TrainingError(
            EndReason.BAD_HYPERPARAMETERS,
            f"The checkpoint to resume from is of {resumed.model_name!r} for {resumed.task_type}. Start a new training "
            f"from its weights instead.",
        )
    if resumed.class_names != list(run.dataset.class_names):
        raise TrainingError(
            EndReason.BAD_DATA,
            "The data set's classes are not those of the checkpoint to resume from. Start a new training from its "
            "weights instead.",
        )
    if resumed.optimizer is None:
        run.log(STATE_IS_TRIMMED, LogLevel.WARNING)
    run.history.restore(resumed.history)
    return resumed
