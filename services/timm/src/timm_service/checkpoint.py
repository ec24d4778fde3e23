"""The state of a training, saved to a file and restored from it."""

import pickle
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import nn

from trainer_kit.evaluation import History
from trainer_kit.files import replacing
from trainer_kit.trainer import TrainingError
from vision_contracts import EndReason

FILE = Path("last.pt")
STATE_FILE = Path("state.pt")


@dataclass
class TrainingState:
    """`epoch` counts completed and validated epochs, `step` optimizer steps."""

    model: nn.Module
    trained: nn.Module
    """The model as training steps call it."""
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: ModelEmaV3 | None = None
    epoch: int = 0
    step: int = 0

    def evaluated_model(self) -> nn.Module:
        """Return the model to validate and to deploy: the averaged one where there is one."""
        return self.ema.module if self.ema else self.model


def save_checkpoint(folder: Path, state: TrainingState, history: History, facts: dict[str, Any]) -> tuple[Path, Path]:
    """Write a checkpoint: a file of the weights to deploy, and one of what only a resume needs beside them.

    Each file is always complete: a kill while writing leaves the one before. `facts` are what a user of the weights
    must know: architecture, class names, image size, normalisation.
    """
    weights = {
        **facts,
        "model": state.evaluated_model().state_dict(),
        "ema": None,
        "epoch": state.epoch,
        "step": state.step,
        "history": history.epochs,
    }
    rest = {
        "trained": state.model.state_dict() if state.ema else None,
        "optimizer": state.optimizer.state_dict(),
        "scaler": state.scaler.state_dict(),
        "random": _random_state(),
    }
    for name, content in ((FILE, weights), (STATE_FILE, rest)):
        with replacing(folder / name) as file:  # a path instead would hide the errno of a full disk
            torch.save(content, file)
    return folder / FILE, folder / STATE_FILE


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Tensors and plain values only: a checkpoint is a user's file, and unpickling anything else runs its code."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"The checkpoint cannot be read: {first_line(error)} Choose one that a timm training has written.",
        ) from error
    if not isinstance(content, dict):
        raise TrainingError(EndReason.WEIGHTS_UNAVAILABLE, "The checkpoint holds no named tensors. Choose another one.")
    return content


def restore_training(
    path: Path, rest: Path | None, state: TrainingState, history: History, facts: dict[str, Any]
) -> dict[str, Any] | None:
    """Restore `state` and `history`, and return the random state to resume from within an epoch.

    `rest` is the other file of the checkpoint. Without it the optimizer and the random numbers start anew, unless the
    checkpoint is of before there were two files.
    """
    content = load_checkpoint(path)
    content |= load_checkpoint(rest) if rest is not None else {}
    for name in ("model_name", "class_names", "image_size"):
        if content.get(name) != facts[name]:
            raise TrainingError(
                EndReason.BAD_HYPERPARAMETERS,
                f"The training cannot be resumed: its checkpoint has {name} {content.get(name)!r}, the job now has "
                f"{facts[name]!r}. Undo that change, or start a new job with `initial_weights` from this one.",
            )
    state.model.load_state_dict(content.get("trained") or content["model"])
    if state.ema:
        state.ema.module.load_state_dict(content["ema"] or content["model"])
    if content["optimizer_name"] == facts["optimizer_name"] and "optimizer" in content:
        _restore_optimizer(state.optimizer, content["optimizer"])
    if content.get("scaler"):  # empty where that training needed none
        state.scaler.load_state_dict(content["scaler"])
    state.epoch, state.step = content["epoch"], content["step"]
    history.restore(content["history"])
    if content["steps_per_epoch"] != facts["steps_per_epoch"]:  # another batch size: resume at the epoch's beginning
        state.step = state.epoch * facts["steps_per_epoch"]
    return content.get("random")


def load_best_weights(path: Path, state: TrainingState) -> nn.Module:
    """Return the network that was validated, with the weights of the best checkpoint."""
    content = load_checkpoint(path)
    model = state.evaluated_model()
    model.load_state_dict(content["ema"] or content["model"])
    return model.eval()


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Restore the optimizer's averages. The job's settings, which may have changed, stay; other groups start anew."""
    if [len(group["params"]) for group in saved["param_groups"]] != [len(g["params"]) for g in optimizer.param_groups]:
        return
    kept = [
        {name: group[name] for name in ("weight_decay", "momentum", "lr_scale") if name in group}
        for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(saved)
    for group, settings in zip(optimizer.param_groups, kept, strict=True):
        group.update(settings)


def _random_state() -> dict[str, Any]:
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def restore_random_state(state: dict[str, Any]) -> None:
    """Restore the random numbers of dropout and its like."""
    torch.set_rng_state(state["cpu"])
    if len(state["cuda"]) == torch.cuda.device_count() and state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


def seed_everything(seed: int) -> None:
    """Seed torch's generators on every device, and Python's own."""
    random.seed(seed)
    torch.manual_seed(seed)


def first_line(error: BaseException) -> str:
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return text[:200] if text.endswith(".") else f"{text[:200]}."
